/* Any file beside the hostlist, HOSTLIST.bans and HOSTLIST.book: read without harm; every ban that
 * was read holds, and is the same after save and load. spec: network.md 4.7, 10 */
#include "fuzz.h"

#include "fakes/fake_node.h"

#include <fcntl.h>
#include <unistd.h>

static char path[128];

static void write_beside(const char *end, const uint8_t *data, size_t size)
{
    char name[sizeof path + 8];
    int fd;

    (void)snprintf(name, sizeof name, "%s%s", path, end);
    fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FUZZ_CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    FUZZ_CHECK(close(fd) == 0);
}

struct known {
    struct hy_hosts *hosts;
    uint64_t count, sum;
};

/* Order does not count. */
static void look(const struct hypha_ban *ban, void *user)
{
    struct known *known = user;
    uint64_t hash = 0xcbf29ce484222325U ^ ban->until_s;
    const char *at = ban->url != NULL ? hypha_url_text(ban->url) : ban->group;

    FUZZ_CHECK(ban->url == NULL || hy_hosts_is_banned(known->hosts, ban->url));
    for (; *at != '\0'; at++)
        hash = (hash ^ (uint8_t)*at) * 0x100000001b3U;
    known->sum += hash;
    known->count++;
}

/* Into an empty node; with one ban more, so that there is something to save. */
static struct known load_and_save(void)
{
    struct hypha_url *url = NULL;
    struct fake_node node;
    struct hy_sim *sim = NULL;

    must(hy_sim_create(1, &sim));
    fake_node_init(&node, hy_sim_loop(sim), NULL, 0);
    node.settings.hostlist = path;
    struct known known = { .hosts = node.net.hosts };
    must(hy_hosts_load_bans(node.net.hosts));
    must(hy_hosts_load(node.net.hosts));
    must(hypha_url_parse_text("tcp://44.7.7.7:7", &url));
    must(hy_hosts_ban(node.net.hosts, url, 1000, HYPHA_ERR_BANNED));
    hypha_url_unref(url);
    hy_hosts_each_ban(node.net.hosts, look, &known);
    must(hy_hosts_save_bans(node.net.hosts));
    fake_node_fini(&node);
    hy_sim_destroy(sim);
    known.hosts = NULL;
    return known;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const ends[] = { "", ".bans", ".bans.bak", ".book" };
    char name[sizeof path + 16];

    if (path[0] == '\0')
        (void)snprintf(path, sizeof path, "%s/hypha_fuzz_book_%ld.tsv",
            access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (long)getpid());
    write_beside(".bans", data, size);
    write_beside(".book", data, size);
    struct known first = load_and_save();
    struct known second = load_and_save();
    FUZZ_CHECK(first.count == second.count && first.sum == second.sum);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        (void)snprintf(name, sizeof name, "%s%s", path, ends[i]);
        (void)unlink(name);
    }
    return 0;
}
