"""A task belongs to the token that began it; to all others it does not exist."""

import json

import httpx2
import pytest
from http_faces import (
    ACCEPT,
    ENVELOPE,
    NEWER,
    OLDER,
    call,
    calling,
    serving,
    session_headers,
    until,
)

from doubles.plays import Play
from spadework.mcp.http.access_tokens import TokenStore
from spadework.mcp.tasks import EXTENSION

pytestmark = pytest.mark.slow

TAKES_TASKS = ENVELOPE | {
    "io.modelcontextprotocol/clientCapabilities": {"extensions": {EXTENSION: {}}}
}
EACH = {"prompt": "Sum up.", "items": ["one", "two"]}


def bearer(name):
    return {"authorization": f"Bearer {TokenStore().new(name)[1]}"}


async def post(url, token, method, params):
    headers = ACCEPT | token | {"mcp-protocol-version": NEWER, "mcp-method": method}
    name = params.get("name") or params.get("taskId")
    headers |= {"mcp-name": name} if name else {}
    message = {
        "jsonrpc": "2.0",
        "id": 7,
        "method": method,
        "params": params | {"_meta": TAKES_TASKS},
    }
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as http:
        answer = await http.post(url, json=message, headers=headers)
    lines = answer.text.splitlines()
    data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    return json.loads(data[-1] if data else answer.text)


async def begin(url, token):
    answer = await post(url, token, "tools/call", {"name": "ask_each", "arguments": EACH})
    return answer["result"]["taskId"]


def configure(config_file, *lines):
    config_file.write_text("\n".join([config_file.read_text(), "[http]", *lines, ""]))


async def test_a_task_of_another_token_is_answered_like_one_that_never_was(
    config_file, openai_double
):
    own, other = bearer("laptop"), bearer("desk")
    openai_double.plays(Play(hangs_after=0))
    async with serving(require_token=True) as server:
        task = await begin(server.url, own)
        nobodys = "0" * len(task)
        for method in ("tasks/get", "tasks/update", "tasks/cancel"):
            params = {"inputResponses": {}} if method == "tasks/update" else {}
            theirs = await post(server.url, other, method, {"taskId": task, **params})
            unknown = await post(server.url, other, method, {"taskId": nobodys, **params})
            assert "error" in theirs
            assert json.loads(json.dumps(theirs).replace(task, nobodys)) == unknown
        seen = await post(server.url, own, "tasks/get", {"taskId": task})
        assert seen["result"]["status"] == "working"
        await post(server.url, own, "tasks/cancel", {"taskId": task})
        await until(lambda: server.live.tasks.running == 0)


async def test_a_session_of_another_token_is_answered_like_one_that_never_was(config_file):
    own, other = bearer("laptop"), bearer("desk")
    async with serving(require_token=True) as server:
        session = await session_headers(server.url, OLDER, **own)
        unknown = {"mcp-session-id": "0" * len(session["mcp-session-id"])}
        async with httpx2.AsyncClient(trust_env=False, timeout=60) as http:
            for method in ("POST", "GET", "DELETE"):
                theirs, nobodys = [
                    await http.request(method, server.url, headers=ACCEPT | other | one, json={})
                    for one in (session, unknown)
                ]
                assert theirs.status_code == nobodys.status_code == 404
                assert theirs.content == nobodys.content
                assert {*theirs.headers} == {*nobodys.headers}


async def test_a_new_token_of_an_old_name_has_none_of_its_tasks(config_file, openai_double):
    own = bearer("laptop")
    openai_double.plays(Play(hangs_after=0))
    async with serving(require_token=True) as server:
        task = await begin(server.url, own)
        TokenStore().revoke("laptop")
        answer = await post(server.url, bearer("laptop"), "tasks/get", {"taskId": task})
    assert "Unknown task" in answer["error"]["message"]


async def test_what_a_revoked_token_has_under_way_ends(config_file, openai_double):
    own = bearer("laptop")
    openai_double.plays(Play(hangs_after=0))
    async with serving(require_token=True) as server:
        await begin(server.url, own)
        headers, body = call(NEWER, "ask_local_llama", {"prompt": "Hi"})
        async with calling(server.url, headers | own, body):
            await until(lambda: len(openai_double.chats) >= 2 and server.face.calls == 1)
            TokenStore().revoke("laptop")
            await until(lambda: server.live.tasks.running == 0 and server.face.calls == 0)


async def test_a_token_that_is_called_like_an_address_is_not_that_address(
    config_file, openai_double
):
    named = bearer("127.0.0.1")
    openai_double.plays(Play(hangs_after=0))
    async with serving() as server:
        task = await begin(server.url, named)
        answer = await post(server.url, {}, "tasks/get", {"taskId": task})
    assert "Unknown task" in answer["error"]["message"]


async def test_a_task_of_this_machines_windows_is_unknown_over_http(config_file):
    async with serving() as server:

        async def work(_tell):
            raise AssertionError

        task = server.live.tasks.start(work)
        answer = await post(server.url, {}, "tasks/get", {"taskId": task.id})
    assert "Unknown task" in answer["error"]["message"]


async def test_one_token_leaves_tasks_for_the_others(config_file, openai_double):
    configure(config_file, "max_tasks_per_token = 2")
    own, other = bearer("laptop"), bearer("desk")
    openai_double.plays(Play(hangs_after=0))
    call = {"name": "ask_each", "arguments": EACH}
    async with serving(require_token=True) as server:
        first = await begin(server.url, own)
        await begin(server.url, own)
        refused = await post(server.url, own, "tools/call", call)
        assert refused["result"]["isError"]
        assert "2 tasks of yours are under way" in refused["result"]["content"][0]["text"]
        assert await begin(server.url, other)
        await post(server.url, own, "tasks/cancel", {"taskId": first})
        await until(lambda: server.live.tasks.running == 2)
        assert await begin(server.url, own)
