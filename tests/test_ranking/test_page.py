"""The page in a real browser: no error, no request, sorting and hover work."""

import shutil

import pytest

from mmbnft.ranking import rank

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="Debian's chromium and chromium-driver are missing")

SWITCHES = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--window-size=1200,900",
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
def page(browser, tmp_path_factory, simulated):
    folder = rank(simulated(tasks=2, repeats=2), out=tmp_path_factory.mktemp("page"), resamples=200).folder
    browser.get(f"file://{folder / 'report.html'}")
    return browser


def test_no_console_message_and_no_request_but_the_file(page):
    assert page.get_log("browser") == []
    requests = [
        entry["message"] for entry in page.get_log("performance") if 'Network.requestWillBeSent"' in entry["message"]
    ]
    assert requests
    assert all('"url":"file://' in message or '"url":"data:' in message for message in requests)


def test_a_click_sorts_up_and_a_second_one_down(page):
    table = page.find_element("xpath", "//details//h3[text()='Ranking']/following::table[1]")
    button = table.find_elements("css selector", "th button")[1]

    def column():
        cells = table.find_elements("css selector", "tbody tr td:nth-child(2)")
        return [float(cell.get_attribute("data-value")) for cell in cells]

    values = column()
    button.click()
    assert column() == sorted(values)
    button.click()
    assert column() == sorted(values, reverse=True)
    assert button.find_element("xpath", "..").get_attribute("aria-sort") == "descending"


def test_hover_names_the_checkpoint(page):
    point = page.find_element("css selector", "details[open] g.tip")
    tip = page.find_element("id", "tip")
    assert not tip.is_displayed()
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", point)
    webdriver.ActionChains(page).move_to_element(point).perform()
    assert tip.is_displayed()
    assert tip.text.startswith("ckpt")
    assert "finetune" in tip.text


@pytest.mark.parametrize("width", [360, 1200])
def test_the_page_never_scrolls_sideways(page, width):
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600},
    )
    assert page.execute_script("return document.documentElement.scrollWidth") <= width


def test_every_drawing_has_a_text_and_ids_are_unique(page):
    drawings = page.find_elements("css selector", "svg[role=img]")
    assert len(drawings) == 5
    assert all(len(drawing.get_attribute("aria-label")) > 20 for drawing in drawings)
    assert (
        page.execute_script(
            "const i=[...document.querySelectorAll('[id]')].map(e=>e.id);return i.length-new Set(i).size"
        )
        == 0
    )


def test_dark_paper_has_light_ink(page):
    def colours():
        script = "const s=getComputedStyle(document.body);return [s.color,s.backgroundColor]"
        return page.execute_script(script)

    light = colours()
    page.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    )
    assert colours() != light
