/* Any file: it is read without harm, and what was read is the same after save and load.
 * spec: network.md 4.6 */
#include "fuzz.h"

#include "fakes/fake_node.h"

#include <fcntl.h>
#include <unistd.h>

static char path[128];

/* Order does not count: entries of the same second may change places. */
static void add(const struct hypha_url *url, uint64_t last_seen, void *user)
{
    uint64_t hash = 0xcbf29ce484222325U ^ last_seen, *sum = user;

    for (const char *at = hypha_url_text(url); *at != '\0'; at++)
        hash = (hash ^ (uint8_t)*at) * 0x100000001b3U;
    *sum += hash;
}

struct known {
    size_t counts[HYPHA_COLOURS];
    uint64_t sums[HYPHA_COLOURS];
};

/* Load the file into an empty node, look, and save it again. */
static struct known load_and_save(void)
{
    struct known known = { 0 };
    struct fake_node node;
    struct hy_sim *sim = NULL;

    must(hy_sim_create(1, &sim));
    fake_node_init(&node, hy_sim_loop(sim), NULL, 0);
    node.settings.hostlist = path;
    must(hy_hosts_load(node.net.hosts));
    for (int colour = 0; colour < HYPHA_COLOURS; colour++) {
        if (colour == HYPHA_COLOUR_BLACK) /* read, but not saved */
            continue;
        known.counts[colour] = hy_hosts_count(node.net.hosts, (enum hypha_colour)colour);
        hy_hosts_each(node.net.hosts, (enum hypha_colour)colour, add, &known.sums[colour]);
    }
    FUZZ_CHECK(hy_hosts_busy_count(node.net.hosts) == 0);
    must(hy_hosts_save(node.net.hosts));
    fake_node_fini(&node);
    hy_sim_destroy(sim);
    return known;
}

static void write_file(const uint8_t *data, size_t size)
{
    int fd;

    if (path[0] == '\0')
        (void)snprintf(path, sizeof path, "%s/hypha_fuzz_hostlist_%ld.tsv",
            access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (long)getpid());
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FUZZ_CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    FUZZ_CHECK(close(fd) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char copy[sizeof path + 8];

    write_file(data, size);
    struct known first = load_and_save();
    struct known second = load_and_save();
    FUZZ_CHECK(memcmp(&first, &second, sizeof first) == 0);
    (void)snprintf(copy, sizeof copy, "%s.bak", path);
    (void)unlink(copy);
    (void)snprintf(copy, sizeof copy, "%s.book", path);
    (void)unlink(copy);
    (void)unlink(path);
    return 0;
}
