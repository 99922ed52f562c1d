"""What a task may be called: its name becomes part of file names."""

from mmbnft.utils.errors import UserError

LONGEST = 100  # bytes; file systems take 255, and results add more to the name
FORBIDDEN = "/\\:"


def check_task_name(name: object) -> str:
    """The name, if no file named after it can land elsewhere.

    Raises:
        UserError: It is no text, empty or too long, begins with a dot, or holds a separator or a control character.
    """
    if (
        not isinstance(name, str)
        or not name.strip()
        or name != name.strip()
        or name.startswith(".")
        or not name.isprintable()
        or any(character in name for character in FORBIDDEN)
    ):
        raise UserError(
            f"the task name {name!r} cannot be part of a file name; use letters, digits, '-', '_', '.' and spaces, "
            "with no '.' in front, and correct it in task.json or in the configuration"
        )
    if len(name.encode("utf-8")) > LONGEST:
        raise UserError(f"the task name {name!r} is longer than {LONGEST} bytes; shorten it")
    return name
