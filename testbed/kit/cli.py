"""What the commands have in common: their name option, their errors, and turning into another."""
import argparse
import http.client
import os
import sys

DEFAULT = os.environ.get("TESTBED", "default")


def parser(doc: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=doc,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--name", default=DEFAULT,
                      help="which testbed; several may be up at once (default: $TESTBED, or "
                           "'default')")
    return made


def name_first(arguments: list[str]) -> tuple[str, list[str]]:
    """For commands whose other arguments are somebody else's."""
    if arguments[:1] in (["-h"], ["--help"]) or arguments == ["--name"]:
        print(sys.modules["__main__"].__doc__)
        sys.exit(0 if arguments != ["--name"] else 2)
    if arguments[:1] == ["--name"]:
        return arguments[1], arguments[2:]
    if arguments and arguments[0].startswith("--name="):
        return arguments[0].removeprefix("--name="), arguments[1:]
    return DEFAULT, arguments


def become(command: list[str], **environment: str) -> None:
    try:
        os.execvpe(command[0], command, os.environ | environment)
    except OSError as error:
        raise RuntimeError(f"{command[0]}: {error.strerror}") from None


def run(main) -> None:
    """Exit status 1 with one line for what went wrong; 130 for an interruption."""
    try:
        main()
    except (RuntimeError, ValueError, OSError, http.client.HTTPException) as error:
        print(f"testbed: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("testbed: interrupted; testbed/down takes away what there is", file=sys.stderr)
        sys.exit(130)
