"""Doubles of model servers on loopback, made of what the real ones replied."""

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

OLLAMA = {
    "/": (200, "Ollama is running"),
    "/api/version": (200, '{"version":"0.0.0"}'),
    "/v1/models": (
        200,
        (
            '{"object":"list","data":[{"id":"smollm2:latest","object":"model",'
            '"created":1795406735,"owned_by":"library"}]}\n'
        ),
    ),
}
LITELLM_MODELS = (
    '{"data":[{"id":"llama3-local","object":"model","created":1677610602,"owned_by":"openai",'
    '"mode":"chat"},{"id":"codellama-local","object":"model","created":1677610602,'
    '"owned_by":"openai"},{"id":"embedded","object":"model","created":1677610602,'
    '"owned_by":"openai","max_input_tokens":2048,"max_output_tokens":512}],"object":"list"}'
)
LITELLM_INFO = json.dumps(
    {
        "data": [
            {
                "model_name": name,
                "litellm_params": {"model": route, "api_base": "http://127.0.0.1:11999"},
                "model_info": {"id": name},
            }
            for name, route in {
                "llama3-local": "ollama_chat/smollm2",
                "codellama-local": "ollama_chat/smollm2",
                "embedded": "openai/embedded",
            }.items()
        ]
    }
)
LITELLM = {
    "/": (200, "<!DOCTYPE html><html><title>LiteLLM API - Swagger UI</title></html>"),
    "/health/liveliness": (200, '"I\'m alive!"'),
    "/v1/models": (500, "Internal Server Error"),
}
LLAMA_SWAP = {
    "/": (307, ""),
    "/health": (200, "OK"),
    "/running": (200, '{"running":[]}\n'),
    "/v1/models": (
        200,
        (
            '{"data":[{"id":"broken","object":"model","created":1795407151,"owned_by":"llama-swap"},'
            '{"id":"codellama-local","object":"model","created":1795407151,"owned_by":"llama-swap"},'
            '{"id":"llama3-local","object":"model","created":1795407151,"owned_by":"llama-swap",'
            '"name":"Llama3 local","description":"test",'
            '"meta":{"llamaswap":{"ctx":4096,"family":"smollm2"}}}],"object":"list"}\n'
        ),
    ),
}


def models(*names):
    return json.dumps({"object": "list", "data": [{"id": name} for name in names]})


class Server:
    """A server that answers as told, and remembers what it was asked."""

    def __init__(self, routes, key=None):
        self.routes = routes
        self.key = key
        self.asked = []
        self.keys_seen = []

    def reply(self, path, authorization):
        self.asked.append(path)
        self.keys_seen.append(authorization)
        with_key = {"/v1/models": LITELLM_MODELS, "/v1/model/info": LITELLM_INFO}
        if self.key and path in with_key and authorization == f"Bearer {self.key}":
            return 200, with_key[path]
        return self.routes.get(path, (404, "404 page not found\n"))


@contextlib.contextmanager
def running(server):
    """Let a server listen on a free port; its `port` and `url` say where."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, text = server.reply(self.path, self.headers.get("Authorization"))
            body = text.encode() if isinstance(text, str) else text
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # who asked has read enough
                self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        thread = threading.Thread(target=listener.serve_forever, args=(0.01,))
        thread.start()
        server.port = listener.server_port
        server.url = f"http://127.0.0.1:{server.port}"
        try:
            yield server
        finally:
            listener.shutdown()
            thread.join()
