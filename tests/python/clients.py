"""The published clients against a gateway: clients.py BASE_URL TOKEN, all with strict checks.

What the upstream does is said by the first words of what it is told; see tests/models/gateway.rs.
"""

import sys
from concurrent.futures import ThreadPoolExecutor

import anthropic
import openai

BASE, TOKEN = sys.argv[1:3]
TOOL = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
CHAT, MESSAGES, ECHO = "local/chat-1", "claude/messages-1", "scripted/echo"
RESPONSES = "resp/responses-1"
SOONEST = "any/least-latency"


def openai_client(retries: int = 0, session: str = "openai") -> openai.OpenAI:
    return openai.OpenAI(
        base_url=f"{BASE}/v1",
        api_key=f"{TOKEN}.{session}",
        max_retries=retries,
        _strict_response_validation=True,
    )


def anthropic_client(retries: int = 0, session: str = "anthropic") -> anthropic.Anthropic:
    return anthropic.Anthropic(
        base_url=BASE,
        api_key=f"{TOKEN}.{session}",
        max_retries=retries,
        _strict_response_validation=True,
    )


def user(text: str) -> list:
    return [{"role": "user", "content": text}]


def fails(kind: type, call) -> Exception:
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was expected")


def models() -> None:
    for client in (openai_client(), anthropic_client()):
        assert {model.id for model in client.models.list()} == {
            CHAT,
            MESSAGES,
            RESPONSES,
            ECHO,
            SOONEST,
        }
        assert client.models.retrieve(CHAT).id == CHAT
    error = fails(openai.NotFoundError, lambda: chat("x", model="nobody/else"))
    assert error.code == "model_not_found", error
    stranger = openai.OpenAI(base_url=f"{BASE}/v1", api_key="sk-other", max_retries=2)
    fails(openai.AuthenticationError, lambda: stranger.models.list())
    stranger = anthropic.Anthropic(base_url=BASE, api_key="sk-other", max_retries=2)
    fails(anthropic.AuthenticationError, lambda: stranger.models.list())


def chat(text: str, model: str = CHAT, retries: int = 0, session: str = "openai", **more):
    client = openai_client(retries, session)
    return client.chat.completions.create(model=model, messages=user(text), **more)


def message(text: str, model: str = MESSAGES, retries: int = 0, session: str = "anthropic", **more):
    client = anthropic_client(retries, session)
    more.setdefault("max_tokens", 200)
    return client.messages.create(model=model, messages=user(text), timeout=60, **more)


def plain() -> None:
    for model in (CHAT, MESSAGES, RESPONSES, ECHO):
        reply = chat("hello", model=model)
        assert reply.choices[0].finish_reason == "stop", reply
        assert "hello" in reply.choices[0].message.content, reply
        assert reply.usage.prompt_tokens > 0, reply
        chunks = list(chat("hello", model=model, stream=True))
        assert all(chunk.choices for chunk in chunks), "counts were not asked for"
        said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        assert "hello" in said, chunks
        counted = list(chat("hello", model=model, stream=True, stream_options={"include_usage": True}))
        assert counted[-1].usage.completion_tokens > 0, counted
        reply = message("hello", model=model)
        assert reply.stop_reason == "end_turn" and "hello" in reply.content[0].text, reply
        with anthropic_client().messages.stream(
            model=model, max_tokens=200, messages=user("hello")
        ) as stream:
            said = "".join(stream.text_stream)
            final = stream.get_final_message()
        assert "hello" in said and final.usage.output_tokens > 0, final
        count = anthropic_client().messages.count_tokens(model=model, messages=user("hello"))
        assert count.input_tokens > 0, count
    # The gateway's key, which is no business of the client's.
    try:
        count = anthropic_client().messages.count_tokens(model=MESSAGES, messages=user("key"))
        raise AssertionError(count)
    except anthropic.APIStatusError as error:
        assert error.status_code == 502, error
    count = anthropic_client().messages.count_tokens(model=SOONEST, messages=user("hello"))
    assert count.input_tokens > 0, count


def tools() -> None:
    function = {"name": "weather", "description": "the weather", "parameters": TOOL}
    offered = [{"type": "function", "function": function}]
    own = [{"name": "weather", "description": "the weather", "input_schema": TOOL}]
    for model in (CHAT, MESSAGES, RESPONSES):
        reply = chat("tools", model=model, tools=offered).choices[0]
        assert reply.finish_reason == "tool_calls", reply
        calls = reply.message.tool_calls
        assert [call.function.arguments for call in calls] == ['{"city":"Ulm"}', '{"city":"Bern"}']
        history = user("tools") + [reply.message.model_dump(exclude_none=True)]
        history += [{"role": "tool", "tool_call_id": call.id, "content": "rain"} for call in calls]
        last = openai_client().chat.completions.create(model=model, messages=history, tools=offered)
        assert "rain" in last.choices[0].message.content, last
        with openai_client().chat.completions.stream(
            model=model, messages=user("tools"), tools=offered
        ) as stream:
            final = stream.get_final_completion()
        assert len(final.choices[0].message.tool_calls) == 2, final

        reply = message("tools", model=model, tools=own)
        assert reply.stop_reason == "tool_use", reply
        used = [block for block in reply.content if block.type == "tool_use"]
        assert [block.input for block in used] == [{"city": "Ulm"}, {"city": "Bern"}], reply
        results = [
            {"type": "tool_result", "tool_use_id": block.id, "content": "rain"} for block in used
        ]
        last = anthropic_client().messages.create(
            model=model,
            max_tokens=200,
            tools=own,
            messages=user("tools")
            + [
                {"role": "assistant", "content": [b.model_dump(exclude_none=True) for b in reply.content]},
                {"role": "user", "content": results},
            ],
        )
        assert "rain" in last.content[0].text, last
        with anthropic_client().messages.stream(
            model=model, max_tokens=200, tools=own, messages=user("tools")
        ) as stream:
            final = stream.get_final_message()
        assert [b.input for b in final.content if b.type == "tool_use"] == [
            {"city": "Ulm"},
            {"city": "Bern"},
        ], final


def comes_back(how: str) -> None:
    assert chat(f"once {how} openai", retries=3).choices[0].message.content
    assert message(f"once {how} anthropic", retries=3).content[0].text
    assert message(f"once {how} crossed", model=CHAT, retries=3).content[0].text
    assert chat(f"once {how} crossed", model=MESSAGES, retries=3).choices[0].message.content


def refusals() -> None:
    # Each fails once, and the client comes back by itself; all at a time, as they wait long.
    hows = ("seconds", "date", "milliseconds", "unsaid", "500", "529", "malformed", "slow")
    with ThreadPoolExecutor(len(hows)) as pool:
        list(pool.map(comes_back, hows))
    for model in (CHAT, MESSAGES):
        limited = fails(openai.RateLimitError, lambda: chat("always 429", model=model))
        assert limited.response.headers["retry-after"] == "7", limited.response.headers
        limited = fails(anthropic.RateLimitError, lambda: message("always 429", model=model))
        assert limited.response.headers["retry-after"] == "7", limited.response.headers
        fails(openai.BadRequestError, lambda: chat("always 400", model=model))
        fails(anthropic.BadRequestError, lambda: message("always 400", model=model))
        # A key of the gateway's that is refused is not the client's to mend.
        refused = fails(openai.InternalServerError, lambda: chat("always 401", model=model, retries=2))
        assert refused.status_code == 502, refused
        for how in ("malformed", "oversized", "html", "empty"):
            fails(openai.InternalServerError, lambda: chat(f"always {how}", model=model))
            fails(anthropic.InternalServerError, lambda: message(f"always {how}", model=model))
    lost = fails(openai.BadRequestError, lambda: chat("x", model=MESSAGES, seed=1))
    assert "seed" in str(lost), lost
    lost = fails(anthropic.BadRequestError, lambda: message("x", model=CHAT, extra_body={"top_k": 5}))
    assert "top_k" in str(lost), lost


def cuts() -> None:
    for how in ("cut", "stall", "error"):
        for model in (CHAT, MESSAGES):
            fails(openai.APIError, lambda: list(chat(f"mid {how}", model=model, stream=True)))
            fails(anthropic.APIError, lambda: list(message(f"mid {how}", model=model, stream=True)))
            fails(openai.InternalServerError, lambda: chat(f"mid {how}", model=model))
            fails(anthropic.InternalServerError, lambda: message(f"mid {how}", model=model))


def counts() -> None:
    # Counted twice is counted once; not counted costs all that was held.
    assert chat("usage twice", session="twice").usage.prompt_tokens == 100
    list(chat("usage twice", stream=True, session="twice-stream"))
    list(chat("usage absent", stream=True, session="absent"))
    assert chat("usage absent", session="absent").choices[0].message.content
    list(chat("usage zero", stream=True, session="zero"))


def respond(text: str, model: str = RESPONSES, retries: int = 0, **more):
    client = openai_client(retries, "responses")
    return client.responses.create(model=model, input=text, **more)


def responses() -> None:
    offered = [
        {
            "type": "function",
            "name": "weather",
            "description": "the weather",
            "parameters": TOOL,
            "strict": False,
        }
    ]
    for model in (RESPONSES, CHAT, MESSAGES, ECHO):
        reply = respond("hello", model=model)
        assert reply.status == "completed" and "hello" in reply.output_text, reply
        assert reply.usage.input_tokens > 0, reply
        with openai_client().responses.stream(model=model, input="hello") as stream:
            kinds = [event.type for event in stream]
            final = stream.get_final_response()
        assert kinds[0] == "response.created" and kinds[-1] == "response.completed", kinds
        assert "response.output_text.delta" in kinds, kinds
        assert "hello" in final.output_text and final.usage.output_tokens > 0, final
    for model in (RESPONSES, CHAT, MESSAGES):
        reply = respond("tools", model=model, tools=offered)
        calls = [item for item in reply.output if item.type == "function_call"]
        assert [call.arguments for call in calls] == ['{"city":"Ulm"}', '{"city":"Bern"}'], reply
        history = user("tools") + [item.model_dump(exclude_none=True) for item in reply.output]
        history += [
            {"type": "function_call_output", "call_id": call.call_id, "output": "rain"}
            for call in calls
        ]
        last = respond(history, model=model, tools=offered)
        assert "rain" in last.output_text, last
        with openai_client().responses.stream(model=model, input="tools", tools=offered) as stream:
            final = stream.get_final_response()
        assert sum(item.type == "function_call" for item in final.output) == 2, final
        limited = fails(openai.RateLimitError, lambda: respond("always 429", model=model))
        assert limited.response.headers["retry-after"] == "7", limited.response.headers
        fails(openai.BadRequestError, lambda: respond("always 400", model=model))
        assert respond(f"once 500 responses {model}", model=model, retries=3).output_text
        for how in ("malformed", "oversized", "html", "empty"):
            fails(openai.InternalServerError, lambda: respond(f"always {how}", model=model))
        for how in ("cut", "stall", "error"):
            fails(openai.InternalServerError, lambda: respond(f"mid {how}", model=model))
    for how, last in (("cut", "error"), ("stall", "error"), ("error", "response.failed")):
        assert list(respond(f"mid {how}", stream=True))[-1].type == last, how
    lost = fails(
        openai.BadRequestError, lambda: respond("x", model=CHAT, previous_response_id="resp_1")
    )
    assert "previous_response_id" in str(lost), lost
    lost = fails(openai.BadRequestError, lambda: respond("x", tools=[{"type": "web_search"}]))
    assert "web_search" in str(lost), lost


def leaving() -> None:
    stream = chat("long", stream=True, session="leaver")
    next(iter(stream))
    stream.close()


def poor() -> None:
    for retry in (0, 2):
        error = fails(openai.APIStatusError, lambda: chat("hello", max_tokens=10**7, retries=retry))
        assert error.status_code == 402 and error.code == "budget_exhausted", error
        assert error.response.headers["x-should-retry"] == "false"
        error = fails(
            anthropic.APIStatusError, lambda: message("hello", max_tokens=10**7, retries=retry)
        )
        assert error.status_code == 402 and error.body["error"]["type"] == "billing_error", error


if __name__ == "__main__":
    for part in (models, plain, tools, refusals, cuts, counts, responses, leaving, poor):
        part()
        print(f"{part.__name__} ok", flush=True)
    print("all clients agree")
