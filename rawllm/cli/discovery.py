"""What nobody named: a server on one of the known local ports, and its first model.

Looking is a question without a key, to this machine alone. What is left out:
other machines, and telling which server it is.
"""

from collections.abc import Iterable
from threading import Thread

from rawllm import envelopes, errors, hints, objects, urls
from rawllm.answers import ModelList
from rawllm.cli import terminal
from rawllm.client import Client

#: Seconds for all ports together. A server on this machine that is well answers in milliseconds.
PATIENCE = 1.0

_AFTERWARDS = 5.0  # seconds for a list that would be of help, but was not asked for


def find(ports: Iterable[int], *, patience: float = PATIENCE) -> str | None:
    """The base URL of the first of `ports` at which an OpenAI-compatible server answers.

    All are asked at once, and waited for as many seconds as `patience`. One
    that wants a key, or is still loading its model, has answered too.
    """
    found: dict[str, bool] = {}

    def look(base_url: str) -> None:
        found[base_url] = _answers(base_url, patience)

    bases = [f"http://localhost:{port}/v1" for port in ports]
    # Daemons, so that Ctrl-C does not wait for them.
    threads = [Thread(target=look, args=(base,), daemon=True) for base in bases]
    for thread in threads:
        thread.start()
    for base, thread in zip(bases, threads, strict=True):
        thread.join()
        if found.get(base):
            return base
    return None


def _answers(base_url: str, patience: float) -> bool:
    # Half of it to connect, for "localhost" may be two addresses.
    timeout = (patience / 2, patience)
    # A key that is in the environment is not for whatever listens there.
    with Client(base_url, "", timeout=timeout, max_retries=0, loading_timeout=0) as client:
        try:
            client.models.list(deadline=patience)
        except errors.ModelLoadingError:
            return True
        except (errors.AuthenticationError, errors.PermissionDeniedError) as error:
            return _is_json(error.response.text)
        except errors.APIError:
            return False
    return True


def _is_json(text: str) -> bool:
    try:
        return isinstance(objects.parse(text), dict)
    except (ValueError, RecursionError):
        return False


def nothing_found(ports: Iterable[int], *, has_key: bool) -> errors.APIConnectionError:
    """The error that says how to start a server; `has_key` if OpenAI could be asked instead."""
    lines = [
        "no server was found on this machine; start one, or name one with --base-url",
        *map(_start, ports),
        "`rawllm demo` needs no server",
    ]
    if has_key:
        lines.append(f"OPENAI_API_KEY is set: `--base-url {urls.OPENAI}` asks OpenAI")
    return errors.APIConnectionError("\n".join(lines))


def _start(port: int) -> str:
    place = f"localhost:{port}"
    hint = hints.hint("refused", hints.server_at(port), place=place)
    # Before it stands that nothing listens there: but another program may.
    return f"{place}: {hint.partition('; ')[2]}"


def ids(listed: ModelList) -> list[str]:
    """The names of the models, in the server's order."""
    return [model.id for model in listed if isinstance(model.id, str)]


def first_model(client: Client) -> str:
    """The first model that the server lists, told on stderr.

    Raises `APIError` if it lists none.
    """
    names = ids(client.models.list())
    if not names:
        raise errors.APIError(f"{client.base_url} lists no model: load one, or name one with -m")
    terminal.note(f"asking {names[0]}, the first model of {client.base_url}; -m names another")
    return names[0]


def advice(client: Client, error: errors.APIError, model: str) -> str:
    """The models whose names are closest to `model`, as a line; "" if `error` is not about it."""
    if not _is_about_the_model(error):
        return ""
    try:
        names = ids(client.with_options(max_retries=0).models.list(deadline=_AFTERWARDS))
    except errors.APIError:  # what went wrong first is what is to be said
        return ""
    if model in names or not names:
        return ""
    import difflib  # here and not above: `rawllm --help` needs none

    lowered = {name.lower(): name for name in names}
    closest = difflib.get_close_matches(model.lower(), lowered, cutoff=0.0)
    return "the closest that it has: " + ", ".join(lowered[name] for name in closest)


def _is_about_the_model(error: errors.APIError) -> bool:
    if isinstance(error, errors.NotFoundError):
        return True  # or about the path; the list of models will tell
    if not isinstance(error, errors.BadRequestError):
        return False
    # LiteLLM says so with a 400.
    said = envelopes.envelope(error.body)
    return hints.situation(400, said, path="/chat/completions", base_path="/v1") == "model"
