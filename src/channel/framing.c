/* framing.c - the incremental parser. A step takes one field whole or reports ON_MORE. */
#include "channel/framing.h"

#include "base/alloc.h"
#include "base/span.h"
#include "wire/message.h"

#include <assert.h>

#define HELD_FIRST_BYTES 64
#define HELD_KEPT_BYTES  (256 * 1024) /* for the next field; a larger buffer is given back */

void hy_framing_init(struct hy_framing *framing, const uint8_t magic[HY_MAGIC_BYTES], uint64_t cap)
{
    *framing = (struct hy_framing){ .cap = cap, .need = HY_MAGIC_BYTES };
    memcpy(framing->magic, magic, HY_MAGIC_BYTES);
}

static void release(struct hy_framing *framing)
{
    hy_free(framing->held);
    framing->held = NULL;
    framing->held_len = framing->held_cap = 0;
    framing->used = false;
}

void hy_framing_fini(struct hy_framing *framing)
{
    release(framing);
}

bool hy_framing_is_inside(const struct hy_framing *framing)
{
    return framing->state != HY_FRAMING_MAGIC || (framing->held_len > 0 && !framing->used);
}

enum hypha_err hy_framing_unknown(struct hypha_span command)
{
    return hy_span_is_utf8(command) ? HYPHA_ERR_COMMAND_UNKNOWN : HYPHA_ERR_COMMAND_TEXT;
}

static void enter(struct hy_framing *framing, enum hy_framing_state state, uint64_t need)
{
    framing->state = (uint8_t)state;
    framing->need = need;
}

/* Room for `len` bytes that are here: doubled, but never past what the field can need. */
static bool grow(struct hy_framing *framing, size_t len)
{
    size_t cap = framing->held_cap < HELD_FIRST_BYTES ? HELD_FIRST_BYTES : framing->held_cap * 2;

    if (len <= framing->held_cap)
        return true;
    if (cap > framing->need)
        cap = (size_t)framing->need;
    if (cap < len)
        cap = len;

    uint8_t *held = hy_realloc(framing->held, cap);
    if (held == NULL)
        return false;
    framing->held = held;
    framing->held_cap = cap;
    return true;
}

enum taken { TAKEN, MORE, NOMEM };

/* The field's `need` bytes, in place if they are whole in the input. */
static enum taken take(
    struct hy_framing *framing, struct hypha_span *input, struct hypha_span *ret_field)
{
    if (framing->used) {
        framing->held_len = 0;
        framing->used = false;
        if (framing->held_cap > HELD_KEPT_BYTES)
            release(framing);
    }
    if (framing->held_len == 0 && input->len >= framing->need) {
        *ret_field = (struct hypha_span){ input->at, (size_t)framing->need };
        input->at += framing->need;
        input->len -= (size_t)framing->need;
        return TAKEN;
    }

    uint64_t missing = framing->need - framing->held_len;
    size_t part = input->len < missing ? input->len : (size_t)missing;
    if (part > 0) {
        if (!grow(framing, framing->held_len + part))
            return NOMEM;
        assert(framing->held != NULL);
        memcpy(framing->held + framing->held_len, input->at, part);
        framing->held_len += part;
        input->at += part;
        input->len -= part;
    }
    if (framing->held_len < framing->need)
        return MORE;
    *ret_field = (struct hypha_span){ framing->held, framing->held_len };
    framing->used = true;
    return TAKEN;
}

/* How long a varint is that begins with this byte. spec: wire.md#1-serialization */
static uint64_t varint_bytes(uint8_t first)
{
    return first < 0xfd ? 1 : first == 0xfd ? 3 : first == 0xfe ? 5 : 9;
}

/* The first byte tells how many there are; nothing is kept before it came. */
static enum taken take_varint(
    struct hy_framing *framing, struct hypha_span *input, struct hypha_span *ret_field)
{
    if (framing->need == 1) {
        if (input->len == 0)
            return MORE;
        framing->need = varint_bytes(input->at[0]);
    }
    return take(framing, input, ret_field);
}

/* False: not in its shortest form. */
static bool read_varint(struct hypha_span field, uint64_t *ret_value)
{
    if (field.len == 1) {
        *ret_value = field.at[0];
        return true;
    }

    struct hypha_reader r = hypha_reader_of(field);
    *ret_value = hypha_reader_take_varint(&r);
    return hypha_reader_end(&r) == HYPHA_OK;
}

void hy_framing_expect(struct hy_framing *framing, uint64_t max, bool announce)
{
    assert(framing->state == HY_FRAMING_PLEN);
    framing->max = max;
    framing->skipping = false;
    framing->announce = announce;
}

void hy_framing_skip(struct hy_framing *framing)
{
    if (framing->state == HY_FRAMING_PAYLOAD)
        framing->state = HY_FRAMING_SKIP;
    else
        framing->skipping = true;
}

static enum hy_framing_event broken(struct hy_framing_item *item, enum hypha_err err)
{
    item->err = err;
    return HY_FRAMING_ON_BROKEN;
}

/* The length is read: judge it before a byte of the payload is kept. */
static enum hy_framing_event judge_length(
    struct hy_framing *framing, uint64_t len, struct hy_framing_item *item)
{
    item->len = len;
    enter(framing, framing->skipping ? HY_FRAMING_SKIP : HY_FRAMING_PAYLOAD, len);
    if (framing->skipping)
        return HY_FRAMING_ON_MORE;
    if (framing->max > 0 && len > framing->max)
        return broken(item, HYPHA_ERR_PAYLOAD_LENGTH);
    if (framing->max == 0 && len > framing->cap)
        return broken(item, HYPHA_ERR_PAYLOAD_UNLIMITED);
    return framing->announce ? HY_FRAMING_ON_LENGTH : HY_FRAMING_ON_MORE;
}

static enum hy_framing_event take_field(
    struct hy_framing *framing, struct hypha_span field, struct hy_framing_item *item)
{
    uint64_t len = 0;

    switch ((enum hy_framing_state)framing->state) {
    case HY_FRAMING_MAGIC:
        assert(field.len == HY_MAGIC_BYTES && field.at != NULL);
        if (memcmp(field.at, framing->magic, HY_MAGIC_BYTES) != 0)
            return broken(item, HYPHA_ERR_MAGIC);
        enter(framing, HY_FRAMING_CLEN, 1);
        return HY_FRAMING_ON_MORE;
    case HY_FRAMING_CLEN:
        if (!read_varint(field, &len))
            return broken(item, HYPHA_ERR_COMMAND_TEXT);
        if (len > HY_MAX_COMMAND_BYTES)
            return broken(item, HYPHA_ERR_COMMAND_LENGTH);
        enter(framing, HY_FRAMING_COMMAND, len);
        return HY_FRAMING_ON_MORE;
    case HY_FRAMING_COMMAND:
        enter(framing, HY_FRAMING_PLEN, 1);
        framing->skipping = true; /* until expect() says otherwise */
        item->bytes = field;
        return HY_FRAMING_ON_COMMAND;
    case HY_FRAMING_PLEN:
        if (!read_varint(field, &len)) {
            enter(framing, HY_FRAMING_MAGIC, HY_MAGIC_BYTES);
            return broken(item, HYPHA_ERR_PAYLOAD_PREFIX);
        }
        return judge_length(framing, len, item);
    case HY_FRAMING_PAYLOAD:
        enter(framing, HY_FRAMING_MAGIC, HY_MAGIC_BYTES);
        item->bytes = field;
        return HY_FRAMING_ON_PAYLOAD;
    case HY_FRAMING_SKIP:
        break;
    }
    return HY_FRAMING_ON_MORE;
}

static void skip(struct hy_framing *framing, struct hypha_span *input)
{
    size_t part = input->len < framing->need ? input->len : (size_t)framing->need;

    input->at += part;
    input->len -= part;
    framing->need -= part;
    if (framing->need == 0)
        enter(framing, HY_FRAMING_MAGIC, HY_MAGIC_BYTES);
}

enum hy_framing_event hy_framing_next(
    struct hy_framing *framing, struct hypha_span *input, struct hy_framing_item *ret_item)
{
    for (;;) {
        struct hypha_span field = { 0 };
        enum taken taken;

        if (framing->state == HY_FRAMING_SKIP) {
            skip(framing, input);
            if (framing->state == HY_FRAMING_SKIP)
                return HY_FRAMING_ON_MORE;
        }
        if (framing->state == HY_FRAMING_CLEN || framing->state == HY_FRAMING_PLEN)
            taken = take_varint(framing, input, &field);
        else
            taken = take(framing, input, &field);
        if (taken == NOMEM)
            return broken(ret_item, HYPHA_ERR_NOMEM);
        if (taken == MORE) {
            /* Between frames nothing is kept. */
            if (!hy_framing_is_inside(framing) && framing->held != NULL)
                release(framing);
            return HY_FRAMING_ON_MORE;
        }

        enum hy_framing_event event = take_field(framing, field, ret_item);
        if (event != HY_FRAMING_ON_MORE)
            return event;
    }
}
