#include "channel/framing.h"

#include "base/alloc.h"
#include "base/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define MAGIC "\xd9\xef\xb6\x7d"
#define CAP   1000

/* What a reader of frames would see, as text: "command(payload)" and errors. */
struct story {
    char text[4096];
    size_t len;
    bool over;
};

static void tell(struct story *story, const char *what, struct hypha_span bytes, uint64_t number)
{
    char shown[300];
    int n = snprintf(story->text + story->len, sizeof story->text - story->len, "%s[%s]%llu ", what,
        hy_span_escape(bytes, shown, sizeof shown), (unsigned long long)number);

    story->len += (size_t)n;
    assert_true(story->len < sizeof story->text);
}

/* The rules of this test: "short" holds 4 bytes, "long" what the cap lets through, "refine" as
 * a refine channel: mistakes in messages are skipped. */
static void feed(
    struct hy_framing *framing, struct hypha_span input, bool refine, struct story *story)
{
    struct hy_framing_item item = { 0 };

    while (!story->over) {
        switch (hy_framing_next(framing, &input, &item)) {
        case HY_FRAMING_ON_MORE:
            assert_int_equal(input.len, 0);
            return;
        case HY_FRAMING_ON_COMMAND:
            tell(story, "command", item.bytes, 0);
            if (hy_span_is(item.bytes, "short"))
                hy_framing_expect(framing, 4, true);
            else if (hy_span_is(item.bytes, "long"))
                hy_framing_expect(framing, 0, false);
            else {
                tell(story, hypha_err_name(hy_framing_unknown(item.bytes)), item.bytes, 0);
                story->over = !refine;
                hy_framing_skip(framing);
            }
            break;
        case HY_FRAMING_ON_LENGTH:
            tell(story, "length", (struct hypha_span){ 0 }, item.len);
            break;
        case HY_FRAMING_ON_PAYLOAD:
            tell(story, "payload", item.bytes, item.bytes.len);
            break;
        case HY_FRAMING_ON_BROKEN:
            tell(story, hypha_err_name(item.err), (struct hypha_span){ 0 }, 0);
            story->over = !refine || item.err == HYPHA_ERR_MAGIC ||
                item.err == HYPHA_ERR_COMMAND_LENGTH || item.err == HYPHA_ERR_COMMAND_TEXT ||
                item.err == HYPHA_ERR_PAYLOAD_UNLIMITED;
            if (item.err == HYPHA_ERR_PAYLOAD_LENGTH)
                hy_framing_skip(framing);
            break;
        }
    }
}

static void init(struct hy_framing *framing)
{
    hy_framing_init(framing, (const uint8_t *)MAGIC, CAP);
}

static void expect(struct hypha_span input, bool refine, const char *wanted, bool inside)
{
    struct hy_framing framing;
    struct story whole = { 0 };

    init(&framing);
    feed(&framing, input, refine, &whole);
    assert_string_equal(whole.text, wanted);
    if (!whole.over)
        assert_int_equal(hy_framing_is_inside(&framing), inside);
    hy_framing_fini(&framing);

    /* A byte at a time, each from memory that ends behind it. */
    struct story bytewise = { 0 };
    init(&framing);
    for (size_t i = 0; i < input.len && !bytewise.over; i++) {
        uint8_t *one = malloc(1);

        *one = input.at[i];
        feed(&framing, hy_span(one, 1), refine, &bytewise);
        free(one);
    }
    assert_string_equal(bytewise.text, wanted);
    hy_framing_fini(&framing);
}

#define EXPECT(bytes, refine, wanted, inside)                                                      \
    expect(hy_span(bytes, sizeof(bytes) - 1), refine, wanted, inside)

static void whole_frames(void **state)
{
    (void)state;
    EXPECT(MAGIC "\x05short\x04"
                 "abcd" MAGIC "\x04long\x02xy",
        false, "command[short]0 length[]4 payload[abcd]4 command[long]0 payload[xy]2 ", false);
    EXPECT(MAGIC "\x05short\x00", false, "command[short]0 length[]0 payload[]0 ", false);
    EXPECT(MAGIC "\x05short\x02"
                 "a",
        false, "command[short]0 length[]2 ", true);
    EXPECT("\xd9", false, "", true);
    EXPECT(MAGIC, false, "", true);
    EXPECT("", false, "", false);
}

/* spec: wire.md 2.1: each is noticed before what follows it is looked at */
static void the_order_of_violations(void **state)
{
    (void)state;
    EXPECT("\xd9\xef\xb6\x7e", false, "MAGIC[]0 ", false);
    /* 255 is legal, 256 is not; not minimal is malformed, even if short enough */
    EXPECT(MAGIC "\xfd\x00\x01", false, "COMMAND_LENGTH[]0 ", false);
    EXPECT(MAGIC "\xfd\x05\x00", false, "COMMAND_TEXT[]0 ", false);
    EXPECT(MAGIC "\xff\x00\x00\x00\x00\x01\x00\x00\x00", false, "COMMAND_LENGTH[]0 ", false);
    EXPECT(MAGIC "\x02\xc3\x28", false, "command[\\xc3(]0 COMMAND_TEXT[\\xc3(]0 ", false);
    /* unknown, also empty: before the length is read */
    EXPECT(MAGIC "\x04nope", false, "command[nope]0 COMMAND_UNKNOWN[nope]0 ", false);
    EXPECT(MAGIC "\x00", false, "command[]0 COMMAND_UNKNOWN[]0 ", false);
    EXPECT(MAGIC "\x05short\xfd\x04\x00", false, "command[short]0 PAYLOAD_PREFIX[]0 ", false);
    EXPECT(MAGIC "\x05short\x05", false, "command[short]0 PAYLOAD_LENGTH[]0 ", false);
    EXPECT(MAGIC "\x05short\xff\xff\xff\xff\xff\xff\xff\xff\xff", false,
        "command[short]0 PAYLOAD_LENGTH[]0 ", false);
    EXPECT(MAGIC "\x04long\xfd\xe9\x03", false, "command[long]0 PAYLOAD_UNLIMITED[]0 ", false);
}

/* spec: wire.md 2.2 note 1 and section 8; network.md 11, trap 23 */
static void refine_reads_on(void **state)
{
    (void)state;
    EXPECT(MAGIC "\x04nope\x03"
                 "abc" MAGIC "\x05short\x01z",
        true, "command[nope]0 COMMAND_UNKNOWN[nope]0 command[short]0 length[]1 payload[z]1 ",
        false);
    EXPECT(MAGIC "\x05short\x06"
                 "abcdef" MAGIC "\x05short\x00",
        true, "command[short]0 PAYLOAD_LENGTH[]0 command[short]0 length[]0 payload[]0 ", false);
    /* no payload to skip: the next byte is taken for magic */
    EXPECT(MAGIC "\x05short\xfd\x00\x00" MAGIC "\x05short\x00", true,
        "command[short]0 PAYLOAD_PREFIX[]0 command[short]0 length[]0 payload[]0 ", false);
    EXPECT(MAGIC "\x05short\xfd\x01\x00zzzz", true, "command[short]0 PAYLOAD_PREFIX[]0 MAGIC[]0 ",
        false);
    /* skipping costs no memory, however much was announced */
    EXPECT(MAGIC "\x04nope\xff\xff\xff\xff\xff\xff\xff\xff\xff zzzzzzzzz", true,
        "command[nope]0 COMMAND_UNKNOWN[nope]0 ", true);
}

static uint64_t rng = 0x9e3779b97f4a7c15;

static size_t below(size_t bound)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (size_t)(rng % bound);
}

/* A stream of frames with an occasional mistake. */
static size_t make_stream(uint8_t *into)
{
    static const char *const commands[] = { "short", "long", "short", "long", "other", "" };
    size_t len = 0;

    for (size_t i = 0, count = 1 + below(8); i < count; i++) {
        const char *command = commands[below(sizeof commands / sizeof commands[0])];
        size_t payload = below(strcmp(command, "short") == 0 ? 6 : 300);
        bool wide = payload >= 0xfd || below(20) == 0;

        memcpy(into + len, MAGIC, 4);
        len += 4;
        if (below(30) == 0)
            into[len - 1 - below(4)] ^= 1;
        into[len++] = (uint8_t)strlen(command);
        memcpy(into + len, command, strlen(command));
        len += strlen(command);
        if (wide)
            into[len++] = 0xfd;
        into[len++] = (uint8_t)payload;
        if (wide)
            into[len++] = (uint8_t)(payload >> 8);
        for (size_t p = 0; p < payload; p++)
            into[len++] = (uint8_t)('a' + below(26));
    }
    return len - (below(4) == 0 ? below(len) : 0);
}

/* However the bytes are cut, the story is the same. */
static void any_cut_tells_the_same(void **state)
{
    (void)state;
    for (int round = 0; round < 3000; round++) {
        uint8_t bytes[4096];
        size_t len = make_stream(bytes);
        bool refine = below(2) == 0;
        struct story whole = { 0 };
        struct hy_framing framing;

        init(&framing);
        feed(&framing, hy_span(bytes, len), refine, &whole);
        hy_framing_fini(&framing);
        for (int cut = 0; cut < 4; cut++) {
            struct story parts = { 0 };
            size_t at = 0, most = cut == 0 ? 1 : 1 + below(200);

            init(&framing);
            while (at < len && !parts.over) {
                size_t part = 1 + below(most);

                if (part > len - at)
                    part = len - at;
                feed(&framing, hy_span(bytes + at, part), refine, &parts);
                at += part;
            }
            assert_string_equal(parts.text, whole.text);
            hy_framing_fini(&framing);
        }
    }
}

/* spec: wire.md 2.3: the buffer grows with what arrives, never with plen alone */
static void memory_follows_the_bytes(void **state)
{
    struct hy_framing framing;
    struct story story = { 0 };

    (void)state;
    hy_framing_init(&framing, (const uint8_t *)MAGIC, 16 * 1024 * 1024);
    feed(&framing, hy_span(MAGIC "\x04long\xfe\x00\x00\xf0\x00", 14), false, &story);
    assert_true(framing.held_cap <= 64);
    for (int i = 0; i < 1000; i++) {
        feed(&framing, hy_span("x", 1), false, &story);
        assert_true(framing.held_cap <= 64 || framing.held_cap <= 2 * framing.held_len);
    }
    hy_framing_fini(&framing);
}

static void nothing_is_held_between_frames(void **state)
{
    struct hy_framing framing;
    struct story story = { 0 };

    (void)state;
    init(&framing);
    feed(&framing,
        hy_span(MAGIC "\x05short\x04"
                      "ab",
            13),
        false, &story);
    assert_non_null(framing.held);
    assert_true(hy_framing_is_inside(&framing));
    feed(&framing, hy_span("cd", 2), false, &story);
    assert_null(framing.held);
    assert_false(hy_framing_is_inside(&framing));
    hy_framing_fini(&framing);
}

static void without_memory(void **state)
{
    struct hy_framing framing;
    struct story story = { 0 };

    (void)state;
    init(&framing);
    hy_alloc_fail_after(0);
    feed(&framing,
        hy_span(MAGIC "\x05short\x04"
                      "ab",
            13),
        false, &story);
    hy_alloc_fail_after(SIZE_MAX);
    assert_string_equal(story.text, "command[short]0 length[]4 NOMEM[]0 ");
    hy_framing_fini(&framing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_frames),
        cmocka_unit_test(the_order_of_violations),
        cmocka_unit_test(refine_reads_on),
        cmocka_unit_test(any_cut_tells_the_same),
        cmocka_unit_test(memory_follows_the_bytes),
        cmocka_unit_test(nothing_is_held_between_frames),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
