/* inbound_limit.c - a count per address, a bucket of tokens per network group.
 *
 * A group that nobody came from for HY_INBOUND_BURST seconds has a full bucket, as an unknown one
 * has: it can be forgotten. Buckets are kept in the order of their last use, so the first are the
 * ones to forget. The tables' hash is keyed: nobody can choose addresses that collide. */
#include "channel/inbound_limit.h"

#include "base/map.h"
#include "hosts/hosts.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

struct hy_inbound_block {
    UT_hash_handle hh; /* by name */
    size_t count;
    char name[];
};

struct group {
    UT_hash_handle hh; /* by name, in the order of the last use */
    uint64_t milli;    /* thousandths of a token */
    uint64_t filled_ms;
    char name[];
};

struct hy_inbound_limit {
    struct hypha_loop *loop;
    struct hy_inbound_block *blocks;
    struct group *groups;
};

enum hypha_err hy_inbound_limit_create(struct hypha_loop *loop, struct hy_inbound_limit **ret_limit)
{
    struct hy_inbound_limit *limit = hy_alloc(sizeof *limit);

    if (limit == NULL)
        return HYPHA_ERR_NOMEM;
    limit->loop = loop;
    *ret_limit = limit;
    return HYPHA_OK;
}

static void group_forget(struct hy_inbound_limit *limit, struct group *group)
{
    HASH_DEL(limit->groups, group);
    hy_free(group);
}

void hy_inbound_limit_destroy(struct hy_inbound_limit *limit)
{
    if (limit == NULL)
        return;
    assert(limit->blocks == NULL);
    while (limit->groups != NULL)
        group_forget(limit, limit->groups);
    hy_free(limit);
}

size_t hy_inbound_limit_groups(const struct hy_inbound_limit *limit)
{
    return HASH_COUNT(limit->groups);
}

/* ---- addresses ---- */

/* ::ffff:1.2.3.4 is 1.2.3.4, whoever writes it so. */
static void unmap(struct hy_ip *ip)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

    if (ip->len != 16 || memcmp(ip->bytes, mapped, sizeof mapped) != 0)
        return;
    memmove(ip->bytes, ip->bytes + 12, 4);
    ip->len = 4;
}

static bool peer_ip(const struct hypha_url *peer, struct hy_ip *ret_ip)
{
    if (!hy_url_ip(peer, ret_ip))
        return false;
    unmap(ret_ip);
    return true;
}

const char *hy_inbound_block_name(const struct hypha_url *peer, char into[HY_INBOUND_BLOCK_BYTES])
{
    char text[HY_IP_TEXT_BYTES];
    struct hy_ip ip;

    if (!peer_ip(peer, &ip)) {
        (void)snprintf(into, HY_INBOUND_BLOCK_BYTES, "%s", hypha_url_host(peer));
        return into;
    }
    if (ip.len == 16)
        memset(ip.bytes + 8, 0, 8);
    (void)snprintf(into, HY_INBOUND_BLOCK_BYTES, "%s", hy_ip_format(&ip, text));
    return into;
}

static bool is_exempt(const struct hypha_url *peer, bool localnet)
{
    struct hy_ip ip;

    return localnet || !peer_ip(peer, &ip) || hy_ip_is_loopback(&ip);
}

/* ---- blocks ---- */

/* Found or made. NULL: no memory. */
static struct hy_inbound_block *block_get(struct hy_inbound_limit *limit, const char *name)
{
    struct hy_inbound_block *block;
    size_t len = strlen(name);

    HASH_FIND(hh, limit->blocks, name, len, block);
    if (block != NULL)
        return block;
    block = hy_alloc(sizeof *block + len + 1);
    if (block == NULL)
        return NULL;
    memcpy(block->name, name, len + 1);
    HASH_ADD(hh, limit->blocks, name[0], len, block);
    if (block->hh.tbl == NULL) {
        hy_free(block);
        return NULL;
    }
    return block;
}

static void block_put(struct hy_inbound_limit *limit, struct hy_inbound_block *block)
{
    if (block->count > 0)
        return;
    HASH_DEL(limit->blocks, block);
    hy_free(block);
}

/* ---- groups ---- */

static void refill(const struct hy_inbound_limit *limit, struct group *group)
{
    uint64_t now = hy_now_ms(limit->loop), passed = now - group->filled_ms;

    group->filled_ms = now;
    if (passed >= (uint64_t)HY_INBOUND_BURST * HY_INBOUND_INTERVAL_MS)
        group->milli = HY_INBOUND_BURST * 1000;
    else
        group->milli += passed * 1000 / HY_INBOUND_INTERVAL_MS;
    if (group->milli > HY_INBOUND_BURST * 1000)
        group->milli = HY_INBOUND_BURST * 1000;
}

/* Those whose bucket is full again; then, if need be, the one unused for longest. */
static void groups_trim(struct hy_inbound_limit *limit)
{
    struct group *group, *next;

    if (HASH_COUNT(limit->groups) < HY_INBOUND_MAX_GROUPS)
        return;
    HASH_ITER (hh, limit->groups, group, next) {
        refill(limit, group);
        if (group->milli < HY_INBOUND_BURST * 1000)
            break;
        group_forget(limit, group);
    }
    if (HASH_COUNT(limit->groups) >= HY_INBOUND_MAX_GROUPS)
        group_forget(limit, limit->groups);
}

/* Found or made, now the last used. NULL: no memory. */
static struct group *group_get(struct hy_inbound_limit *limit, const char *name)
{
    struct group *group;
    size_t len = strlen(name);

    HASH_FIND(hh, limit->groups, name, len, group);
    if (group != NULL) {
        HASH_DEL(limit->groups, group);
    } else {
        groups_trim(limit);
        group = hy_alloc(sizeof *group + len + 1);
        if (group == NULL)
            return NULL;
        memcpy(group->name, name, len + 1);
        group->milli = HY_INBOUND_BURST * 1000;
        group->filled_ms = hy_now_ms(limit->loop);
    }
    HASH_ADD(hh, limit->groups, name[0], len, group);
    if (group->hh.tbl == NULL) {
        hy_free(group);
        return NULL;
    }
    return group;
}

static enum hypha_err take_token(struct hy_inbound_limit *limit, const struct hypha_url *peer)
{
    char name[HY_HOST_GROUP_BYTES];
    struct group *group = group_get(limit, hy_host_group(peer, false, name));

    if (group == NULL)
        return HYPHA_ERR_NOMEM;
    refill(limit, group);
    if (group->milli < 1000)
        return HYPHA_ERR_LIMIT;
    group->milli -= 1000;
    return HYPHA_OK;
}

/* ---- tickets ---- */

enum hypha_err hy_inbound_limit_take(struct hy_inbound_limit *limit, const struct hypha_url *peer,
    bool localnet, struct hy_inbound_ticket *ret_ticket)
{
    char name[HY_INBOUND_BLOCK_BYTES];

    if (is_exempt(peer, localnet)) {
        *ret_ticket = (struct hy_inbound_ticket){ 0 };
        return HYPHA_OK;
    }
    struct hy_inbound_block *block = block_get(limit, hy_inbound_block_name(peer, name));

    if (block == NULL)
        return HYPHA_ERR_NOMEM;
    enum hypha_err err = block->count < HY_INBOUND_PER_BLOCK ? take_token(limit, peer)
                                                             : HYPHA_ERR_LIMIT;
    if (err != HYPHA_OK) {
        block_put(limit, block);
        return err;
    }
    block->count++;
    *ret_ticket = (struct hy_inbound_ticket){ limit, block };
    return HYPHA_OK;
}

void hy_inbound_ticket_release(struct hy_inbound_ticket *ticket)
{
    if (ticket->block == NULL)
        return;
    ticket->block->count--;
    block_put(ticket->limit, ticket->block);
    *ticket = (struct hy_inbound_ticket){ 0 };
}
