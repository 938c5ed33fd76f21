/* Any text: a version that parses is printed as it was, and keeps its value on the wire. */
#include "fuzz.h"

#include "base/span.h"
#include "wire/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hy_semver version, again;
    struct hypha_writer w = { 0 };
    struct hypha_reader r;
    char text[4096];

    if (hy_semver_parse(hy_span(data, size), &version) != HYPHA_OK)
        return 0;
    hy_semver_format(&version, text, sizeof text);
    if (version.pre.len <= HY_SEMVER_TEXT_BYTES && version.build.len <= HY_SEMVER_TEXT_BYTES)
        FUZZ_CHECK(hy_span_equal(hy_span_of(text), hy_span(data, size)));
    hy_semver_put(&w, &version);
    FUZZ_CHECK(w.err == HYPHA_OK);
    r = hypha_reader_of(hypha_writer_span(&w));
    again = hy_semver_take(&r);
    FUZZ_CHECK(hypha_reader_end(&r) == HYPHA_OK);
    FUZZ_CHECK(again.major == version.major && again.minor == version.minor);
    FUZZ_CHECK(again.patch == version.patch && hy_span_equal(again.pre, version.pre));
    FUZZ_CHECK(hy_span_equal(again.build, version.build));
    hypha_writer_fini(&w);
    return 0;
}
