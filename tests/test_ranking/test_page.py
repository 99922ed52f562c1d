"""The page in a real browser: what the first screen holds, tables, pictures, keyboard, paper, sizes."""

import re
import shutil
import time
from importlib import resources

import pandas as pd
import pytest

from mmbnft.ranking import rank

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402  (only where selenium is)

pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="Debian's chromium and chromium-driver are missing")

SWITCHES = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--window-size=1400,900",
)


@pytest.fixture(scope="module")
def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for switch in SWITCHES:
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, simulated):
    table = simulated(tasks=4, repeats=2)
    # A task that nobody fine-tuned, and a checkpoint that lacks a proxy.
    table = table[~((table["task"] == "task3") & (table["protocol"] == "finetune"))]
    table = table[~((table["checkpoint"] == "ckpt05") & (table["protocol"] == "bad"))]
    made = {"command": "python tools/rank.py results --out report", "when": "2026-01-02 03:04 UTC"}
    return rank(table, out=tmp_path_factory.mktemp("page"), resamples=200, made=made).folder


@pytest.fixture
def page(browser, folder):
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.get(f"file://{folder / 'report.html'}")
    return browser


def of_width(page, width):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    time.sleep(0.3)  # pictures are drawn anew


def column(table, number):
    cells = table.find_elements("css selector", f"tbody tr:not([hidden]) > :nth-child({number})")
    return [cell.get_attribute("data-value") for cell in cells]


def test_no_console_message_and_no_request_but_the_file(page):
    assert page.get_log("browser") == []
    requests = [
        entry["message"] for entry in page.get_log("performance") if 'Network.requestWillBeSent"' in entry["message"]
    ]
    assert requests
    assert all('"url":"file://' in message or '"url":"data:' in message for message in requests)


@pytest.mark.parametrize("width", [390, 800, 1400])
def test_the_first_screen_answers_at_every_width_and_nothing_scrolls_sideways(page, width):
    of_width(page, width)
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    head = page.find_element("css selector", "h1")
    assert head.text == page.find_element("xpath", "//title").get_attribute("textContent")
    assert re.search(r"ckpt\d\d", head.text)
    assert head.rect["y"] + head.rect["height"] < 300
    pick = page.find_element("id", "pick").rect
    assert pick["y"] + pick["height"] < 900
    if width == 1400:  # all of it, and where the leaderboard begins
        for name in ("regret", "trust", "cost", "checks"):
            rect = page.find_element("id", name).rect
            assert rect["y"] + rect["height"] < 900, name
        assert page.find_element("id", "leaderboard").rect["y"] < 900
    svg = page.find_element("css selector", "#trust svg")
    assert 150 < svg.rect["width"] <= width


def test_the_picture_of_trust_has_intervals_and_n(page):
    marks = page.find_elements("css selector", "#trust svg .mark")
    tips = [mark.get_attribute("data-tip") for mark in marks]
    assert any(re.match(r"good: 0\.\d\d \[.*\], n = 36", tip) for tip in tips)
    assert any(tip.startswith("control: other tasks") for tip in tips)


def test_a_click_sorts_up_and_a_second_one_down(page):
    table = page.find_element("css selector", "#leaderboard table")
    button = table.find_element("xpath", ".//thead//button[starts-with(text(), 'regret')]")
    number = 1 + int(button.find_element("xpath", "..").get_property("cellIndex"))
    for ascending in (True, False):
        button.click()
        values = [float(value) for value in column(table, number)]
        assert values == sorted(values, reverse=not ascending)
    assert button.find_element("xpath", "..").get_attribute("aria-sort") == "descending"


def test_rows_are_filtered_columns_hidden_and_what_is_shown_is_downloaded(page, tmp_path):
    page.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    section = page.find_element("id", "leaderboard")
    section.find_element("css selector", "input[type=search]").send_keys("ckpt03")
    table = section.find_element("css selector", "table")
    assert column(table, 2) == ["ckpt03"]
    section.find_element("css selector", ".tools summary").click()
    labels = section.find_elements("css selector", ".tools label")
    next(label for label in labels if label.text.strip() == "win rate").click()
    assert "win rate" not in table.find_element("css selector", "thead").text
    section.find_element("css selector", "button.save").click()
    for _ in range(50):
        if found := list(tmp_path.glob("*.csv")):
            break
        time.sleep(0.1)
    rows = pd.read_csv(found[0])
    assert list(rows["checkpoint"]) == ["ckpt03"]
    assert "win rate" not in rows
    assert "tier" in rows


def test_a_checkpoint_opens_its_runs_and_escape_closes_them(page):
    button = page.find_element("xpath", "//section[@id='leaderboard']//button[text()='ckpt05']")
    button.send_keys("\n")
    dialog = page.find_element("id", "runs")
    assert dialog.is_displayed()
    text = dialog.find_element("css selector", "table").text
    assert text.count("split 0, seed") == 14  # four tasks, two seeds; one without fine-tuning, none by `bad`
    assert "finetune" in text
    assert "bad" not in text
    webdriver.ActionChains(page).send_keys("\ue00c").perform()
    assert not dialog.is_displayed()


def open_part(page, part):
    """Open one task; the browser says so some time after the click, and only then is it filled."""
    part.find_element("css selector", "summary").click()
    WebDriverWait(page, 10).until(lambda _: part.find_elements("css selector", "table"))


def test_a_task_is_drawn_when_it_is_opened_with_one_axis_for_all_its_panels(page):
    part = page.find_element("css selector", "details.task")
    assert not part.find_elements("css selector", "table")
    open_part(page, part)
    panels = part.find_elements("css selector", "figure svg")
    assert len(panels) == 2
    lines = [panel.find_elements("css selector", "text.soft") for panel in panels]
    vertical = [[t.text for t in texts if t.get_attribute("text-anchor") == "end"] for texts in lines]
    assert vertical[0] == vertical[1]
    assert len(part.find_elements("css selector", "table")) >= 3
    names = [t.text for t in lines[0] if t.text.startswith("ckpt")]
    assert len(names) >= 4  # where they fit


def test_a_task_without_target_has_no_picture(page):
    part = page.find_elements("css selector", "details.task")[3]
    open_part(page, part)
    assert not part.find_elements("css selector", "svg")
    assert "task3" in page.find_element("id", "correlations").text


def test_points_and_words_speak_on_hover_and_by_keyboard(page):
    tip = page.find_element("id", "tip")
    assert not tip.is_displayed()
    word = page.find_element("css selector", "#trust .term")
    page.execute_script("arguments[0].focus()", word)
    assert tip.is_displayed()
    assert len(tip.text) > 30
    svg = page.find_element("css selector", "#trust svg")
    svg.send_keys("\ue014")  # arrow to the right
    assert tip.text == page.find_element("css selector", "#trust .mark.on").get_attribute("data-tip")
    head = page.find_element("xpath", "//section[@id='leaderboard']//th[button[text()='tier']]")
    webdriver.ActionChains(page).move_to_element(head).perform()
    assert tip.text.startswith("Checkpoints not separable from the best of their tier")


def test_screen_readers_find_names_everywhere(page):
    page.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
    time.sleep(0.5)
    script = """
      const all = css => [...document.querySelectorAll(css)], ids = all('[id]').map(e => e.id);
      return {
        twice: ids.length - new Set(ids).size,
        drawings: all('svg[role=img]').filter(e => e.getAttribute('aria-label').length < 20).length,
        silent: all('svg:not([role=img]):not([aria-hidden])').length,
        captions: all('table').filter(t => !t.caption || !t.caption.textContent).length,
        rows: all('tbody tr').filter(r => !r.querySelector('th[scope=row]')).length,
        inputs: all('input[type=search]').filter(e => !e.getAttribute('aria-label')).length,
        links: all('a[href^="#"]').filter(a => !document.getElementById(a.hash.slice(1))).length,
        landmarks: all('main').length + all('nav').length,
      }"""
    found = page.execute_script(script)
    assert found.pop("landmarks") == 2
    assert set(found.values()) == {0}, found


def test_the_box_to_repeat_it_names_command_time_versions_and_seed(page):
    text = page.find_element("id", "repeat").text
    for part in (
        "tools/rank.py results --out report",
        "2026-01-02 03:04 UTC",
        "mmbnft 0.",
        "0, 200 resamples",
        "Python",
    ):
        assert part in text


def test_dark_paper_has_light_ink(page):
    def colours():
        return page.execute_script("const s=getComputedStyle(document.body);return [s.color,s.backgroundColor]")

    light = colours()
    dark = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", dark)
    assert colours() != light
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_on_paper_no_table_is_wider_than_the_page(page):
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    of_width(page, 720)  # A4 at 96 dots per inch, less its margins
    tables = "[...document.querySelectorAll('table')]"
    wide = page.execute_script(
        f"return {tables}.filter(t => t.offsetWidth > innerWidth).map(t => t.caption.textContent)"
    )
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert wide == []


def test_a_page_of_a_whole_study_stays_small(tmp_path, simulated):
    """14 checkpoints x 19 tasks x 5 proxies must stay under 1.5 MB; a fraction of its cells takes that of its size."""
    folder = rank(simulated(tasks=4, repeats=2), out=tmp_path, resamples=100).folder
    assert (folder / "report.html").stat().st_size < 300_000


def contrast(first, second):
    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_every_colour_stands_out_from_its_paper():
    style = resources.files("mmbnft.ranking.report").joinpath("page.css").read_text("utf-8")
    schemes = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[:2]
    for scheme in schemes:
        colours = dict(re.findall(r"--([\w]+): (#[0-9a-f]{3,6})", scheme))
        paper = {"#fff": "#ffffff"}.get(colours["paper"], colours["paper"])
        for name in ("c0", "c1", "c2", "c3", "c4", "c5", "c6", "free", "accent"):
            assert contrast(colours[name], paper) >= 3.5, name
        for name in ("ink", "quiet", "warn"):
            assert contrast(colours[name], paper) >= 4.5, name


def test_checks_stand_by_kind_on_the_first_screen_each_folded_with_its_code(page):
    kinds = page.find_elements("css selector", "#checks details.check > summary")
    assert len(kinds) > 1
    assert all(re.search(r"MB\d\d\d$", kind.text) for kind in kinds[:4])
    assert not page.find_elements("css selector", "#checks details[open]")
    kinds[0].click()
    assert page.find_element("css selector", "#checks details[open] li").is_displayed()


def test_marks_of_proxies_drawn_together_differ_and_known_ones_keep_theirs():
    from mmbnft.ranking.report.marks import PALETTE, mark

    names = ("few_shot_20", "few_shot_50", "linear", "knn", "hscore", "control: other tasks")
    marks = {name: mark(name, names) for name in names}
    assert marks["control: other tasks"] == -1
    assert len(set(marks.values())) == len(names)
    assert (marks["linear"], marks["knn"]) == (mark("linear", ()), mark("knn", ("bn",)))
    many = [f"proxy{n}" for n in range(9)]
    assert {mark(name, many) for name in many} == set(range(len(PALETTE)))
