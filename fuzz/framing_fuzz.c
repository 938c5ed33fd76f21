/* Any bytes in any pieces: the same events at the same places as in one piece, and never more
 * memory than the bytes that came. The first byte decides how the rest is cut. */
#include "fuzz.h"

#include "base/span.h"
#include "channel/framing.h"

#include <string.h>

#define MAX_EVENTS 256
#define CAP        300
#define FIRST_HELD 64

struct event {
    enum hy_framing_event kind;
    enum hypha_err err;
    size_t at; /* bytes taken when it came */
    uint64_t len;
    uint32_t sum; /* over the bytes told */
};

struct trace {
    struct event events[MAX_EVENTS];
    size_t count;
    size_t taken;
    bool over, inside;
};

static uint32_t sum_of(struct hypha_span bytes)
{
    uint32_t sum = 2166136261U;

    for (size_t i = 0; i < bytes.len; i++)
        sum = (sum ^ bytes.at[i]) * 16777619U;
    return sum;
}

/* What a channel would do, decided by the command alone. */
static void answer(struct hy_framing *framing, struct hypha_span command)
{
    static const uint64_t limits[] = { 0, 2, 16, 200 };
    uint8_t way = command.len > 0 ? command.at[0] : 0;

    (void)hy_framing_unknown(command);
    if (way % 5 == 4)
        hy_framing_skip(framing);
    else
        hy_framing_expect(framing, limits[way % 5], way % 2 == 0);
}

/* True: reading goes on. */
static bool take_event(struct hy_framing *framing, enum hy_framing_event kind,
    const struct hy_framing_item *item, struct trace *trace)
{
    bool has_bytes = kind == HY_FRAMING_ON_COMMAND || kind == HY_FRAMING_ON_PAYLOAD;

    trace->events[trace->count++] = (struct event){
        .kind = kind,
        .err = kind == HY_FRAMING_ON_BROKEN ? item->err : HYPHA_OK,
        .at = trace->taken,
        .len = has_bytes                   ? item->bytes.len
            : kind == HY_FRAMING_ON_LENGTH ? item->len
                                           : 0,
        .sum = has_bytes ? sum_of(item->bytes) : 0,
    };
    if (kind == HY_FRAMING_ON_COMMAND)
        answer(framing, item->bytes);
    if (kind == HY_FRAMING_ON_BROKEN && item->err == HYPHA_ERR_PAYLOAD_LENGTH)
        hy_framing_skip(framing);
    FUZZ_CHECK(kind != HY_FRAMING_ON_BROKEN || item->err != HYPHA_ERR_NOMEM);
    return trace->count < MAX_EVENTS &&
        (kind != HY_FRAMING_ON_BROKEN || item->err == HYPHA_ERR_PAYLOAD_LENGTH ||
            item->err == HYPHA_ERR_PAYLOAD_PREFIX);
}

/* One piece, from memory that ends behind it. */
static void feed(struct hy_framing *framing, const uint8_t *bytes, size_t len, struct trace *trace)
{
    uint8_t *copy = malloc(len);
    struct hypha_span rest = { copy, len };
    struct hy_framing_item item = { 0 };
    enum hy_framing_event kind;

    FUZZ_CHECK(copy != NULL);
    memcpy(copy, bytes, len);
    do {
        size_t before = rest.len;

        kind = hy_framing_next(framing, &rest, &item);
        FUZZ_CHECK(rest.len <= before && rest.at + rest.len == copy + len);
        trace->taken += before - rest.len;
        FUZZ_CHECK(framing->held_cap <= FIRST_HELD + 2 * trace->taken);
        FUZZ_CHECK(kind != HY_FRAMING_ON_MORE || rest.len == 0);
        if (kind != HY_FRAMING_ON_MORE)
            trace->over = !take_event(framing, kind, &item, trace);
    } while (kind != HY_FRAMING_ON_MORE && !trace->over);
    free(copy);
}

static void run(const uint8_t *data, size_t size, uint32_t cuts, struct trace *trace)
{
    static const uint8_t magic[] = { 0xd9, 0xef, 0xb6, 0x7d };
    struct hy_framing framing;

    memset(trace, 0, sizeof *trace);
    hy_framing_init(&framing, magic, CAP);
    for (size_t at = 0; at < size && !trace->over;) {
        size_t len = size - at;

        if (cuts != 0) {
            cuts = cuts * 1664525U + 1013904223U;
            size_t wish = 1 + (cuts >> 24) % ((cuts >> 16) % 4 == 0 ? 100 : 7);
            len = wish < len ? wish : len;
        }
        feed(&framing, data + at, len, trace);
        at += len;
    }
    trace->inside = hy_framing_is_inside(&framing);
    hy_framing_fini(&framing);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct trace whole, cut;

    if (size < 2)
        return 0;
    run(data + 1, size - 1, 0, &whole);
    run(data + 1, size - 1, data[0] + 1U, &cut);
    FUZZ_CHECK(whole.count == cut.count && whole.over == cut.over);
    FUZZ_CHECK(whole.taken == cut.taken && whole.inside == cut.inside);
    for (size_t i = 0; i < whole.count; i++) {
        const struct event *a = &whole.events[i], *b = &cut.events[i];

        FUZZ_CHECK(a->kind == b->kind && a->err == b->err && a->at == b->at);
        FUZZ_CHECK(a->len == b->len && a->sum == b->sum);
    }
    return 0;
}
