/* node.c - nodes on loopback, through the public interface only. */
#include "bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void message_read(struct hypha_reader *payload, void *ret_message)
{
    struct bench_message *message = ret_message;

    message->bytes = hypha_reader_take_bytes(payload, SIZE_MAX);
}

static void message_write(struct hypha_writer *payload, const void *message)
{
    hypha_writer_put_bytes(payload, ((const struct bench_message *)message)->bytes);
}

const struct hypha_message_type bench_type = {
    .command = "BenchMsg",
    .struct_bytes = sizeof(struct bench_message),
    .read = message_read,
    .write = message_write,
};

static size_t varint_bytes(size_t value)
{
    return value < 0xfd ? 1 : value <= 0xffff ? 3 : 5;
}

size_t bench_frame_bytes(size_t len)
{
    size_t payload = varint_bytes(len) + len;

    return 4 + 1 + strlen(bench_type.command) + varint_bytes(payload) + payload;
}

static void must(enum hypha_err err, const char *what, struct hypha_settings *settings)
{
    if (err != HYPHA_OK)
        bench_die("%s: %s %s", what, hypha_err_text(err),
            settings != NULL ? hypha_settings_why(settings) : "");
}

static void print_log(void *user, enum hypha_log_level level, const char *target, const char *text)
{
    (void)user;
    (void)level;
    (void)fprintf(stderr, "%s: %s\n", target, text);
}

struct hypha_settings *bench_settings(const char *transport)
{
    struct hypha_settings *settings;

    must(hypha_settings_create(&settings), "settings", NULL);
    must(hypha_settings_set_text(settings, HYPHA_KEY_APP_NAME, "bench"), "app", settings);
    must(hypha_settings_set_text(settings, HYPHA_KEY_APP_VERSION, "0.1.0"), "app", settings);
    must(hypha_settings_set_flag(settings, HYPHA_KEY_LOCALNET, true), "localnet", settings);
    must(hypha_settings_add_profile(settings, transport), "profile", settings);
    must(hypha_settings_add_active_profile(settings, transport), "profile", settings);
    bench_number(settings, HYPHA_KEY_OUTBOUND_CONNECTIONS, 0);
    if (getenv("HYPHA_BENCH_LOG") != NULL)
        hypha_settings_set_log(settings, print_log, NULL, HYPHA_LOG_DEBUG);
    return settings;
}

void bench_number(struct hypha_settings *settings, enum hypha_number_key key, int64_t value)
{
    must(hypha_settings_set_number(settings, key, value), "number", settings);
}

void bench_add_url(
    struct hypha_settings *settings, enum hypha_url_list list, const char *format, ...)
{
    char url[128];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(url, sizeof url, format, args);
    va_end(args);
    must(hypha_settings_add_url(settings, NULL, list, url), url, settings);
}

struct hypha_loop *bench_loop(void)
{
    struct hypha_loop *loop;

    must(hypha_loop_create(&loop), "loop", NULL);
    return loop;
}

static void on_stopped(struct hypha_p2p *p2p, enum hypha_err why, void *user)
{
    (void)p2p;
    (void)user;
    if (why != HYPHA_OK)
        bench_die("a node ended: %s", hypha_err_text(why));
}

struct hypha_p2p *bench_start(struct hypha_loop *loop, struct hypha_settings *settings,
    const struct hypha_protocol *protocol, void *app)
{
    struct hypha_p2p *p2p;

    must(hypha_p2p_create(loop, settings, &p2p), "node", settings);
    hypha_settings_destroy(settings);
    if (protocol != NULL)
        must(hypha_p2p_register(p2p, protocol, app), "register", NULL);
    must(hypha_p2p_start(p2p, NULL, on_stopped, NULL), "start", NULL);
    return p2p;
}

static void served(struct hypha_p2p *p2p, void *user)
{
    (void)p2p;
    hypha_loop_stop(user);
}

static struct hypha_p2p *serve(struct hypha_loop *loop, struct hypha_settings *settings,
    const char *transport, const struct hypha_protocol *protocol, void *app, uint16_t *ret_port)
{
    struct hypha_p2p *p2p;

    bench_add_url(settings, HYPHA_LIST_INBOUND, "%s://127.0.0.1:0", transport);
    must(hypha_p2p_create(loop, settings, &p2p), "node", settings);
    hypha_settings_destroy(settings);
    if (protocol != NULL)
        must(hypha_p2p_register(p2p, protocol, app), "register", NULL);
    must(hypha_p2p_start(p2p, served, on_stopped, loop), "start", NULL);
    must(hypha_loop_run(loop), "loop", NULL);
    *ret_port = hypha_url_port(hypha_p2p_listen_addr(p2p, 0));
    return p2p;
}

struct hypha_p2p *bench_serve(struct hypha_loop *loop, const char *transport, int64_t inbound,
    const struct hypha_protocol *protocol, void *app, uint16_t *ret_port)
{
    struct hypha_settings *settings = bench_settings(transport);

    bench_number(settings, HYPHA_KEY_INBOUND_CONNECTIONS, inbound);
    return serve(loop, settings, transport, protocol, app, ret_port);
}

struct hypha_p2p *bench_serve_seed(
    struct hypha_loop *loop, const char *transport, uint16_t *ret_port)
{
    struct hypha_settings *settings = bench_settings(transport);

    bench_number(settings, HYPHA_KEY_INBOUND_CONNECTIONS, 512);
    must(hypha_settings_set_flag(settings, HYPHA_KEY_RELAXED_BANS, true), "relaxed", settings);
    must(hypha_settings_set_flag(settings, HYPHA_KEY_PROBE_ANNOUNCED, true), "probe", settings);
    return serve(loop, settings, transport, NULL, NULL, ret_port);
}

struct hypha_p2p *bench_dial(struct hypha_loop *loop, const char *transport, uint16_t port,
    const struct hypha_protocol *protocol, void *app)
{
    struct hypha_settings *settings = bench_settings(transport);

    bench_add_url(settings, HYPHA_LIST_PEERS, "%s://127.0.0.1:%u", transport, (unsigned)port);
    return bench_start(loop, settings, protocol, app);
}

void bench_stop(struct hypha_loop *loop, struct hypha_p2p **nodes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        hypha_p2p_stop(nodes[i]);
    must(hypha_loop_run(loop), "loop", NULL); /* returns when nothing is left to wait for */
    for (size_t i = 0; i < count; i++)
        hypha_p2p_destroy(nodes[i]);
}
