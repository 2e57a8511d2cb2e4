"""Who is let in over HTTP, and what the others are told."""

import asyncio
import socket
import stat

import httpx2
import pytest
from http_faces import ACCEPT, NEWER, OLDER, call, calling, client, serving, session_headers, until

from doubles.plays import Play
from spadework.errors import ArgumentError, ConfigError
from spadework.mcp.http.access_tokens import TokenStore

pytestmark = pytest.mark.slow

BOTH = pytest.mark.parametrize("revision", [OLDER, NEWER])


def configure(config_file, *lines):
    config_file.write_text("\n".join([config_file.read_text(), "[http]", *lines, ""]))


async def ask(url, method="POST", body=None, **headers):
    """Call a tool as the newer revision does it, with other headers."""
    own, call_body = call(NEWER, "ask_local_llama", {"prompt": "Hi"})
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as http:
        return await http.request(
            method, url, content=call_body if body is None else body, headers=own | named
        )


@pytest.fixture
def token():
    return TokenStore().new("laptop")[1]


NAMES = {
    "127.0.0.1": 200,
    "127.0.0.1:1": 200,
    "localhost": 200,
    "LOCALHOST:8765": 200,
    "localhost.": 200,
    socket.gethostname(): 200,
    "koala.tail1234.ts.net": 200,
    "evil.example": 421,
    "127.0.0.1.evil.example": 421,
    "127.0.0.1@evil.example": 421,
    "evil.example:8765": 421,
    "localhost.evil.example": 421,
    "127.0.0.2": 421,
    "[::1]": 421,
    "": 421,
    ":8765": 421,
}


async def test_a_name_that_is_not_the_servers_is_refused(config_file):
    """A web page can make any name of its own lead to loopback (DNS rebinding)."""
    configure(config_file, 'allowed_hosts = ["Koala.tail1234.ts.net"]')
    async with serving() as server:
        told = {name: (await ask(server.url, host=name)).status_code for name in NAMES}
    assert told == NAMES


ORIGINS = {
    "https://tools.example.com": 200,
    "HTTPS://Tools.example.com": 200,
    "http://127.0.0.1:{port}": 200,
    "https://evil.example": 403,
    "http://tools.example.com": 403,
    "https://tools.example.com.evil.example": 403,
    "http://localhost:3000": 403,
    "http://localhost:{port}": 403,
    "http://127.0.0.1": 403,
    "null": 403,
    "": 403,
}


async def test_web_pages_may_not_call_unless_the_config_lists_them(config_file):
    configure(config_file, 'allowed_origins = ["https://tools.example.com"]')
    async with serving() as server:
        told = {
            origin: (await ask(server.url, origin=origin.format(port=server.port))).status_code
            for origin in ORIGINS
        }
    assert told == ORIGINS


PRESENTED = {
    "Bearer {token}": 200,
    "bearer {token}": 200,
    "Bearer {token}x": 401,
    "Bearer {short}": 401,
    "Bearer sw_nobody": 401,
    "Bearer": 401,
    "Basic {token}": 401,
    "{token}": 401,
    "Bearer {hash}": 401,
    "": 401,
    None: 401,
}


async def test_only_who_has_a_token_is_let_in(config_file, token):
    words = {"token": token, "short": token[:-1], "hash": TokenStore().all()[0].sha256}
    told = {}
    async with serving(require_token=True) as server:
        for presented in PRESENTED:
            headers = {"authorization": presented.format(**words)} if presented is not None else {}
            answer = await ask(server.url, **headers)
            told[presented] = answer.status_code
            if answer.status_code == 401:
                assert answer.headers["www-authenticate"].startswith('Bearer realm="spadework"')
                assert token not in answer.text
    assert told == PRESENTED


@BOTH
async def test_a_client_with_its_token_works(config_file, token, revision):
    async with serving(require_token=True) as server, client(server.url, revision, token) as mcp:
        result = await mcp.call_tool("ask_local_llama", {"prompt": "Hi"})
    assert result.content[0].text == "Three lines."


async def test_a_revoked_token_is_refused_at_once_and_a_new_one_works(config_file, token):
    async with serving(require_token=True) as server:
        TokenStore().revoke("laptop")
        assert (await ask(server.url, authorization=f"Bearer {token}")).status_code == 401
        _, other = TokenStore().new("desk")
        assert (await ask(server.url, authorization=f"Bearer {other}")).status_code == 200


async def test_nobody_takes_over_the_session_of_another(config_file, token):
    _, other = TokenStore().new("desk")
    own = {"authorization": f"Bearer {token}"}
    async with serving(require_token=True) as server:
        session = await session_headers(server.url, OLDER, **own)
        headers, body = call(OLDER, "ask_local_llama", {"prompt": "Hi"})
        async with httpx2.AsyncClient(trust_env=False, timeout=60) as http:
            stolen = {"authorization": f"Bearer {other}"}
            taken = await http.post(server.url, content=body, headers=headers | session | stolen)
            kept = await http.post(server.url, content=body, headers=headers | session | own)
    assert taken.status_code == 404
    assert "Three lines." in kept.text


async def test_on_loopback_no_token_is_needed_even_if_there_are_some(config_file, token):
    async with serving() as server:
        assert (await ask(server.url)).status_code == 200
        assert not server.face.needs_token


def has_ipv6():
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


NEEDS_IPV6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@NEEDS_IPV6
async def test_it_listens_on_ipv6(config_file):
    async with serving("[::1]:0") as server:
        assert server.url == f"http://[::1]:{server.port}/mcp"
        assert (await ask(server.url)).status_code == 200
        assert (await ask(server.url, host="[0:0::1]")).status_code == 200
        assert (await ask(server.url, host="[::2]")).status_code == 421


@pytest.mark.parametrize("listen", ["0.0.0.0:0", pytest.param("[::]:0", marks=NEEDS_IPV6)])
async def test_beyond_loopback_it_does_not_start_without_a_token(config_file, listen):
    with pytest.raises(ArgumentError) as caught:
        async with serving(listen):
            pass
    assert str(caught.value).startswith(f"other machines can reach {listen}")
    assert "spadework token new" in caught.value.hint


async def test_beyond_loopback_it_lets_nobody_in_without_one(config_file, token):
    async with serving("0.0.0.0:0") as server:
        url = f"http://127.0.0.1:{server.port}/mcp"
        assert (await ask(url)).status_code == 401
        assert (await ask(url, authorization=f"Bearer {token}")).status_code == 200
        assert server.url == f"http://{socket.gethostname()}:{server.port}/mcp"


async def test_a_required_token_must_exist(config_file):
    with pytest.raises(ArgumentError, match="a token is required, and there is none"):
        async with serving(require_token=True):
            pass


async def test_a_broken_file_of_tokens_opens_nothing(config_file, token):
    path = TokenStore().path
    async with serving(require_token=True) as server:
        path.write_text("{}")
        assert (await ask(server.url, authorization=f"Bearer {token}")).status_code == 500
    with pytest.raises(ConfigError, match="it does not hold tokens"):
        async with serving(require_token=True):
            pass


async def test_a_body_over_the_limit_is_refused(config_file):
    configure(config_file, "max_body_bytes = 1000")
    async with serving() as server:
        assert (await ask(server.url, body=b" " * 1001)).status_code == 413
        chunks = b"%x\r\n%b\r\n" % (600, b" " * 600) * 2  # no length is told, nor an end
        async with calling(server.url, ACCEPT | {"transfer-encoding": "chunked"}, chunks) as caller:
            await caller.hears(b" 413 ")
        assert (await ask(server.url)).status_code == 200


async def test_what_is_no_page_of_ours_is_not_there(config_file):
    async with serving() as server:
        for path in ("/", "/mcp/other", "/.well-known/oauth-protected-resource"):
            answer = await ask(server.url.removesuffix("/mcp") + path)
            assert answer.status_code == 404
            assert answer.json()["error"]["message"] == "there is nothing but /mcp here"


async def test_too_many_calls_at_once_are_told_when_to_come_back(config_file, openai_double):
    configure(config_file, "max_calls = 2")
    openai_double.plays(Play(hangs_after=0))
    async with serving() as server:
        headers, body = call(NEWER, "ask_local_llama", {"prompt": "Hi"})
        async with calling(server.url, headers, body), calling(server.url, headers, body) as last:
            await until(lambda: len(openai_double.chats) == 2)
            answer = await ask(server.url)
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "5"
            openai_double.plays(Play(reply="Three lines."))
            last.hang_up()
            await until(lambda: server.face.calls == 1)
            assert (await ask(server.url)).status_code == 200
    assert server.face.calls == 0


@BOTH
async def test_who_only_listens_takes_no_place_of_a_call(config_file, revision):
    configure(config_file, "max_calls = 1")
    async with serving() as server, client(server.url, revision) as mcp:
        if revision == OLDER:
            await until(lambda: any(one.is_standing for one in server.face._exchanges))
            result = await mcp.call_tool("ask_local_llama", {"prompt": "Hi"})
        else:
            async with mcp.listen(tools_list_changed=True):
                result = await mcp.call_tool("ask_local_llama", {"prompt": "Hi"})
    assert result.content[0].text == "Three lines."


async def test_a_changed_list_of_hosts_counts_at_once(config_file):
    async with serving() as server:
        assert (await ask(server.url, host="koala.lan")).status_code == 421
        configure(config_file, 'allowed_hosts = ["koala.lan"]')
        async with asyncio.timeout(20):
            while (await ask(server.url, host="koala.lan")).status_code != 200:
                await asyncio.sleep(0.05)


def test_the_file_of_tokens_is_for_its_owner_alone(config_file, token):
    path = TokenStore().path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert token not in path.read_text()
