"""A client that is not ours, written from PROTOCOL.md: `client.py PORT HASH`. One line a check, then `done N`."""

import asyncio
import base64
import json
import struct
import sys
import urllib.error
import urllib.request

import websockets

PORT, HASH = sys.argv[1], sys.argv[2]
URL = f"ws://127.0.0.1:{PORT}/live"
WAIT = 15
CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


# MessagePack, as much of it as the frames here need.
def pack(value):
    if value is None:
        return b"\xc0"
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return struct.pack("B", value) if 0 <= value < 128 else b"\xd2" + struct.pack(">i", value)
    if isinstance(value, str):
        data = value.encode()
        return b"\xda" + struct.pack(">H", len(data)) + data
    if isinstance(value, bytes):
        return b"\xc5" + struct.pack(">H", len(value)) + value
    if isinstance(value, list):
        return b"\xdc" + struct.pack(">H", len(value)) + b"".join(map(pack, value))
    return b"\xde" + struct.pack(">H", len(value)) + b"".join(pack(k) + pack(v) for k, v in value.items())


def unpack(data):
    at = 0

    def take(size):
        nonlocal at
        at += size
        assert at <= len(data), "a length beyond the message"
        return data[at - size : at]

    def number(form):
        return struct.unpack(form, take(struct.calcsize(form)))[0]

    def sequence(length):
        return [one() for _ in range(length)]

    def mapping(length):
        return {one(): one() for _ in range(length)}

    numbers = {0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q"}
    numbers.update({0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q"})
    lengths = {0xC4: ">B", 0xC5: ">H", 0xC6: ">I", 0xD9: ">B", 0xDA: ">H", 0xDB: ">I"}
    lengths.update({0xDC: ">H", 0xDD: ">I", 0xDE: ">H", 0xDF: ">I"})

    def one():
        token = take(1)[0]
        if token < 0x80:
            return token
        if token >= 0xE0:
            return token - 0x100
        if token < 0x90:
            return mapping(token & 15)
        if token < 0xA0:
            return sequence(token & 15)
        if token < 0xC0:
            return take(token & 31).decode()
        if token in (0xC0, 0xC2, 0xC3):
            return {0xC0: None, 0xC2: False, 0xC3: True}[token]
        if token in numbers:
            return number(numbers[token])
        length = number(lengths[token])
        if token <= 0xC6:
            return take(length)
        if token <= 0xDB:
            return take(length).decode()
        return sequence(length) if token <= 0xDD else mapping(length)

    value = one()
    assert at == len(data), "bytes behind the array"
    return value


class Client:
    """One connection. `next` skips nothing but BEAT, which it answers unless told not to."""

    def __init__(self, socket):
        self.socket = socket
        self.beats = True
        self.binary = socket.subprotocol == "ackord.v1.msgpack"

    async def send(self, *frame):
        await self.socket.send(pack(list(frame)) if self.binary else json.dumps(list(frame)))

    async def next(self):
        while True:
            data = await asyncio.wait_for(self.socket.recv(), WAIT)
            assert isinstance(data, bytes) == self.binary, "a message of the other kind"
            frame = unpack(data) if self.binary else json.loads(data)
            if frame[0] == 26 and self.beats:
                await self.send(10)
                continue
            return frame

    async def ask(self, seq, name, value, *more):
        await self.send(2, seq, name, value, *more)
        return await self.next()

    async def closed(self):
        try:
            while True:
                await self.next()
        except websockets.ConnectionClosed as error:
            return error.rcvd.code if error.rcvd else 1006


async def dial(**options):
    options.setdefault("subprotocols", ["ackord.v1.json"])
    options.setdefault("compression", None)
    return Client(await websockets.connect(URL, ping_interval=None, **options))


count = 0


async def enter(user="ann", session=None, features=(), **options):
    global count
    count += 1
    client = await dial(**options)
    await client.send(1, session or f"session-{count}", HASH, "1.0.0", list(features), user)
    client.welcome = await client.next()
    same(client.welcome[0], 17)
    return client


def same(found, expected):
    assert found == expected, f"{found!r} instead of {expected!r}"


async def closes(code, *frames, **options):
    client = await enter(**options)
    for frame in frames:
        await client.send(*frame)
    same(await client.closed(), code)


@check
async def welcome_says_what_is_granted():
    client = await enter(session="mine")
    _, session, limits, features, verdict, time = client.welcome
    same((session, verdict), ("mine", "same"))
    same(sorted(limits), ["bytes", "heartbeat", "inFlight"])
    assert isinstance(features, list) and time > 1_600_000_000_000


@check
async def another_contract_is_told():
    client = await dial()
    await client.send(1, "other-hash", "0" * 16, "0.9.0", [], "ann")
    same((await client.next())[4], "other")
    same(await client.ask(1, "echo", {"text": "hi"}), [18, 1, {"text": "hi"}])


@check
async def a_call_is_acknowledged():
    client = await enter()
    same(await client.ask(7, "echo", {"text": "ä€😀"}), [18, 7, {"text": "ä€😀"}])
    same(await client.ask(7, "echo", {"text": "again"}), [18, 7, {"text": "again"}])


@check
async def the_first_flight_is_answered_behind_welcome():
    client = await dial()
    await client.send(1, "first-flight", HASH, "1.0.0", [], "ann")
    await client.send(2, 1, "echo", {"text": "early"})
    await client.send(6, 2, "hall", {"id": "early"})
    same([(await client.next())[0] for _ in range(2)], [17, 18])
    same((await client.next())[:2], [22, 2])


@check
async def each_error_of_a_call():
    client = await enter()
    frame = await client.ask(1, "echo", {"text": 5})
    same(frame[:3], [19, 1, "INVALID_INPUT"])
    same(frame[3]["pointer"], "/text")
    same((await client.ask(2, "nothing", {}))[:3], [19, 2, "UNKNOWN_CALL"])
    same((await client.ask(3, "brew", {}))[:4], [19, 3, "TEAPOT", {"ounces": 8}])
    internal = await client.ask(4, "broken", {})
    same(internal[:3], [19, 4, "INTERNAL"])
    same(list(internal[3]), ["id"])
    same((await client.ask(5, "wait", {}, 50))[:3], [19, 5, "TIMEOUT"])
    same((await client.ask(6, "rare", {}))[:2], [18, 6])
    limited = await client.ask(7, "rare", {})
    same(limited[:3], [19, 7, "RATE_LIMITED"])
    assert 0 < limited[4] <= 120_000, limited


@check
async def cancel_ends_a_call():
    client = await enter()
    await client.send(2, 1, "wait", {})
    await client.send(3, 1)
    same((await client.next())[:3], [19, 1, "CANCELLED"])
    await client.send(3, 1)
    same(await client.ask(2, "echo", {"text": "on"}), [18, 2, {"text": "on"}])


@check
async def a_volatile_call_is_not_answered():
    client = await enter()
    await client.send(2, 1, "nudge", {"text": "hey"})
    same(await client.next(), [21, "notice", {"text": "hey"}])
    await client.send(2, 2, "nudge", {"text": 5})
    same(await client.ask(3, "echo", {"text": "on"}), [18, 3, {"text": "on"}])


@check
async def a_stream_has_credit():
    client = await enter()
    await client.send(2, 1, "count", {"to": 5})
    await client.send(4, 1, 2)
    same([await client.next() for _ in range(2)], [[20, 1, 1], [20, 1, 2]])
    same(await client.ask(2, "echo", {"text": "no more"}), [18, 2, {"text": "no more"}])
    await client.send(4, 1, 10)
    same([(await client.next())[2] for _ in range(3)], [3, 4, 5])
    same(await client.next(), [18, 1, {"count": 5}])


@check
async def streams_are_bounded_and_cancelled():
    client = await enter()
    await client.send(2, 1, "count", {"to": 5})
    await client.send(2, 2, "count", {"to": 5})
    same((await client.ask(3, "count", {"to": 5}))[:3], [19, 3, "OVERLOADED"])
    await client.send(3, 2)
    same((await client.next())[:3], [19, 2, "CANCELLED"])


@check
async def an_ask_is_answered():
    client = await enter()
    for seq, answer, status in (
        (1, [{"accepted": True}], {"status": "answered", "value": {"accepted": True}}),
        (2, [None, "NO_HANDLER"], None),
        (3, [None, "FAILED"], None),
    ):
        event = await client.ask(seq, "offer", {})
        same(event[:3], [21, "offer", {"text": "tea"}])
        await client.send(5, event[3], *answer)
        frame = await client.next()
        same(frame[:2], [18, seq])
        if status:
            same(frame[2], status)
        else:
            same((frame[2]["status"], frame[2]["code"]), ("failed", answer[1]))


async def publish(client, room, event, value):
    """Calls `publish`; gives the frames that came up to its ACK, and the one behind where a member gets it."""
    frames = []
    await client.send(2, 9000, "publish", {"id": room, "event": event, "value": value})
    while not frames or frames[-1][:2] != [18, 9000]:
        frames.append(await client.next())
    return frames[:-1]


@check
async def a_room_is_joined_and_left():
    client, other = await enter(), await enter("bob")
    await client.send(6, 1, "hall", {"id": "one"})
    joined = await client.next()
    same((joined[0], joined[1], joined[3]), (22, 1, 0))
    key = joined[2]
    assert joined[4][1] == 0, joined
    await publish(other, "one", "posted", 1)
    first = await client.next()
    same(first[:5], [23, key, "posted", {"value": 1}, 1])
    await publish(other, "one", "passing", 2)
    same((await client.next())[:4], [23, key, "passing", {"value": 2}])
    # A second JOIN answers again with the same key, and LEAVE carries the last seq.
    await client.send(6, 2, "hall", {"id": "one"})
    same((await client.next())[:4], [22, 2, key, 0])
    await client.send(7, 2)
    same(await client.ask(3, "echo", {"text": "left"}), [18, 3, {"text": "left"}])
    await publish(other, "one", "posted", 3)
    same(await client.ask(4, "echo", {"text": "quiet"}), [18, 4, {"text": "quiet"}])


@check
async def joins_are_refused():
    client = await enter()
    for seq, room, params, code in (
        (1, "hall", {"id": "closed"}, "FORBIDDEN"),
        (2, "nothing", {}, "UNKNOWN_ROOM"),
        (3, "hall", {"id": 5}, "INVALID_INPUT"),
    ):
        await client.send(6, seq, room, params)
        same((await client.next())[:3], [19, seq, code])


@check
async def what_was_missed_is_replayed():
    client, other = await enter(), await enter("bob")
    await client.send(6, 1, "hall", {"id": "two"})
    key, position = (await client.next())[2:5:2]
    await publish(other, "two", "posted", 1)
    seen = await client.next()
    await client.socket.close()
    for value in (2, 3):
        await publish(other, "two", "posted", value)
    client = await enter()
    await client.send(6, 1, "hall", {"id": "two"}, [position[0], seen[4], seen[5]])
    joined = await client.next()
    same((joined[2], joined[3], joined[5:]), (key, 2, joined[5:] and [None] * len(joined[5:])))
    replayed = [await client.next() for _ in range(2)]
    same([(frame[3]["value"], frame[4]) for frame in replayed], [(2, 2), (3, 3)])
    same(joined[4], [position[0], replayed[1][4], replayed[1][5]])


@check
async def gaps_say_why():
    client, other = await enter(), await enter("bob")
    await other.send(6, 1, "hall", {"id": "three"})
    joined = await other.next()
    epoch, frames = joined[4][0], []
    for value in range(8):
        before = await publish(other, "three", "posted", value)
        frames.append(before[0] if before else await other.next())
    for since, gap in (
        (["another", 3, frames[2][5]], "epoch"),
        ([epoch, 7, frames[6][5] ^ 1], "forked"),
        ([epoch, 1, frames[0][5]], "trimmed"),
    ):
        await client.send(6, 1, "hall", {"id": "three"}, since)
        answer = await client.next()
        same((answer[0], answer[5]), (22, gap))
        for _ in range(answer[3]):
            await client.next()
        await client.send(7, 1)


@check
async def a_joiner_gets_the_last_and_the_latest():
    client, other = await enter(), await enter("bob")
    # Somebody is there, so that the room is kept.
    await other.send(6, 1, "hall", {"id": "four"})
    await other.next()
    for value in range(3):
        await publish(other, "four", "posted", value)
        await publish(other, "four", "price", value)
    await client.send(6, 1, "hall", {"id": "four"}, None, 2)
    joined = await client.next()
    frames = [await client.next() for _ in range(joined[3])]
    same([frame[3]["value"] for frame in frames], [1, 2, 2])
    same(frames[-1][2], "price")


@check
async def an_eviction_is_told():
    client = await enter()
    await client.send(6, 1, "hall", {"id": "five"})
    key = (await client.next())[2]
    await client.send(2, 2, "end", {"how": "evict", "room": "five"})
    frames = [await client.next(), await client.next()]
    assert [27, key, "evicted"] in frames, frames


@check
async def beats_are_exchanged():
    client = await enter()
    client.beats = False
    await client.send(10)
    same((await client.next())[0], 26)
    # The server's own, after a second of silence; unanswered, it ends the connection.
    same((await client.next())[0], 26)
    same(await client.closed(), 4000)


@check
async def a_message_in_fragments_is_one():
    client = await enter()
    await client.socket.send(['[2,1,"echo",{"te', 'xt":"in ', 'parts"}]'])
    same(await client.next(), [18, 1, {"text": "in parts"}])


@check
async def pings_are_answered():
    client = await enter()
    await asyncio.wait_for(await client.socket.ping(b"data"), WAIT)


@check
async def bytes_are_base64():
    client = await enter()
    value = base64.b64encode(b"\x00\x01\xff").decode()
    answer = await client.ask(1, "reverse", {"bytes": value})
    same(base64.b64decode(answer[2]["bytes"]), b"\xff\x01\x00")
    same((await client.ask(3, "reverse", {"bytes": "AAE"}))[:3], [19, 3, "INVALID_INPUT"])


@check
async def messages_may_be_msgpack():
    client = await enter(subprotocols=["ackord.v1.msgpack"])
    assert client.binary
    same(await client.ask(1, "reverse", {"bytes": b"\x00\x01\xff"}), [18, 1, {"bytes": b"\xff\x01\x00"}])
    same((await client.ask(2, "reverse", {"bytes": "AAH/"}))[:3], [19, 2, "INVALID_INPUT"])
    await client.send(6, 3, "hall", {"id": "binary"})
    key = (await client.next())[2]
    other = await enter("bob")
    await publish(other, "binary", "posted", 300)
    same((await client.next())[:4], [23, key, "posted", {"value": 300}])
    await client.socket.send(b"\xc1")
    same(await client.closed(), 4500)


@check
async def the_first_subprotocol_that_is_spoken_is_taken():
    client = await enter(subprotocols=["other", "ackord.v1.msgpack", "ackord.v1.json"])
    same(client.socket.subprotocol, "ackord.v1.msgpack")


@check
async def a_connection_may_be_compressed():
    client = await enter(compression="deflate")
    assert "permessage-deflate" in client.socket.response_headers.get("Sec-WebSocket-Extensions", "")
    text = "again and again " * 2000
    same(await client.ask(1, "echo", {"text": text}), [18, 1, {"text": text}])


@check
async def close_codes_of_violations():
    for code, frames in (
        (4500, [["10"]]),
        (4500, [[2, 0, "echo", {}]]),
        (4501, [[11]]),
        (4501, [[18, 1, {}]]),
        (4502, [[1, "twice", HASH, "1.0.0", [], "ann"]]),
        (4502, [[5, 1, None]]),
        (4502, [[8, 1, {}]]),
        (4502, [[9, "ann"]]),
        (4503, [[2, 1, "wait", {}], [2, 1, "echo", {}]]),
        (4504, [[2, 1, "echo", {"__proto__": {}}]]),
        (4500, [[4, 1, 0]]),
        (4500, [[4, 1, -1]]),
        (4500, [[4, 1, 2**53]]),
    ):
        await closes(code, *frames)
    client = await enter()
    for number in range(64, 96):
        await client.send(number, "from the future")
    same(await client.ask(1, "echo", {"text": "on"}, None, None, "more"), [18, 1, {"text": "on"}])
    client = await dial()
    await client.send(10)
    same(await client.closed(), 4502)


@check
async def close_codes_of_messages():
    for code, data in ((1003, b"[10]"), (1009, "x" * 70_000), (4500, "[10"), (4500, "{}")):
        client = await enter()
        await client.socket.send(data)
        same(await client.closed(), code)
    client = await enter()
    await client.socket.write_frame(True, 1, b"\xff\xfe")
    same(await client.closed(), 1007)


@check
async def close_codes_of_the_application():
    for code, how in ((4509, "kick"), (4508, "revoke"), (4003, "reauthenticate")):
        await closes(code, [2, 1, "end", {"how": how}])


@check
async def a_session_that_comes_again_fences():
    older = await enter(session="fenced")
    newer = await enter(session="fenced")
    same(await older.closed(), 4505)
    same(await newer.ask(1, "echo", {"text": "on"}), [18, 1, {"text": "on"}])


@check
async def nobody_waits_for_a_hello_for_ever():
    client = await dial()
    same(await client.closed(), 4001)


@check
async def a_token_is_refused_or_ends():
    client = await dial()
    await client.send(1, "refused", HASH, "1.0.0", [], "bad")
    same(await client.closed(), 4506)
    await closes(4002, user="for-500-ann")


@check
async def a_token_is_refreshed():
    client = await enter("for-3000-ann", features=["token"])
    wanted = await client.next()
    same(wanted[:2], [25, "wanted"])
    assert 0 < wanted[2] <= 3000, wanted
    await client.send(9, "for-60000-ann")
    accepted = await client.next()
    same(accepted[:2], [25, "accepted"])
    assert 50_000 < accepted[2] <= 60_000, accepted
    await client.send(9, "bob")
    same(await client.closed(), 4510)


def get(path="/live", headers=None, data=None):
    request = urllib.request.Request(f"http://127.0.0.1:{PORT}{path}", data=data, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=WAIT) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


async def verdict(**options):
    return await asyncio.get_running_loop().run_in_executor(None, lambda: get(**options))


@check
async def upgrades_are_refused():
    for status, options in (
        (401, {"extra_headers": {"Authorization": "Bearer bad"}}),
        (403, {"origin": "https://evil.example"}),
        (426, {"subprotocols": ["other"]}),
    ):
        try:
            await dial(**options)
            assert False, f"let in with {options}"
        except websockets.InvalidStatusCode as error:
            same(error.status_code, status)


@check
async def a_plain_get_tells_the_verdict():
    status, body = await verdict()
    same((status, body["code"], "ackord.v1.json" in body["protocols"]), (426, "UPGRADE_REQUIRED", True))
    status, body = await verdict(headers={"Authorization": "Bearer bad"})
    same((status, body["statusCode"], body["code"]), (401, 401, "UNAUTHORIZED"))
    status, body = await verdict(headers={"Origin": "https://evil.example"})
    same((status, body["code"]), (403, "ORIGIN_FORBIDDEN"))
    same((await verdict(path="/none"))[0], 404)


@check
async def tokens_are_carried_by_header_and_subprotocol():
    client = await dial(extra_headers={"Authorization": "Bearer ann"})
    await client.send(1, "by-header", HASH, "1.0.0", [])
    same((await client.next())[0], 17)
    carried = base64.urlsafe_b64encode(b"ann").decode().rstrip("=")
    client = await dial(subprotocols=["ackord.v1.json", f"ackord.token.{carried}"])
    same(client.socket.subprotocol, "ackord.v1.json")
    await client.send(1, "by-subprotocol", HASH, "1.0.0", [])
    same((await client.next())[0], 17)


@check
async def a_ticket_stands_for_a_token_once():
    status, body = await verdict(path="/live/ticket", headers={"Authorization": "Bearer ann"}, data=b"")
    same((status, sorted(body)), (200, ["expiresIn", "ticket"]))
    assert 0 < body["expiresIn"] <= 30, body
    await enter(body["ticket"])
    client = await dial()
    await client.send(1, "again", HASH, "1.0.0", [], body["ticket"])
    same(await client.closed(), 4506)


@check
async def a_server_that_closes_says_so():
    """The last one: it ends the server."""
    client, plain = await enter(features=["goaway"]), await enter("bob")
    client.beats = False
    await client.send(2, 1, "count", {"to": 2})
    await client.send(2, 2, "end", {"how": "app"})
    same(await client.next(), [18, 2, None])
    goaway = await client.next()
    same(goaway[:2], [28, "restart"])
    assert goaway[2] > 0, goaway
    # BEAT behind it: whose answer has come has read GOAWAY. A stream is in flight to its end.
    same((await client.next())[0], 26)
    await client.send(10)
    await client.send(4, 1, 5)
    same([await client.next() for _ in range(3)], [[20, 1, 1], [20, 1, 2], [18, 1, {"count": 2}]])
    await client.socket.close(4004)
    same(client.socket.close_code, 4004)
    same(await plain.closed(), 1012)


async def main():
    for function in CHECKS:
        name = function.__name__.replace("_", " ")
        try:
            await asyncio.wait_for(function(), 2 * WAIT)
            print(f"ok {name}", flush=True)
        except Exception as error:
            line = str(error).replace("\n", " ")
            print(f"FAILED {name}: {type(error).__name__} {line}", flush=True)
    print(f"done {len(CHECKS)}", flush=True)


asyncio.run(main())
