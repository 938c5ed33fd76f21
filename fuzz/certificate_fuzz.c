/* Any bytes as a peer's certificate: judged without harm; what is acceptable is so as a whole,
 * with not a byte less or more. */
#include "fuzz.h"

#include "base/span.h"
#include "transport/certificate.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!hy_certificate_is_acceptable(hy_span(data, size)))
        return 0;
    uint8_t *longer = malloc(size + 1);
    FUZZ_CHECK(longer != NULL);
    memcpy(longer, data, size);
    longer[size] = 0;
    FUZZ_CHECK(!hy_certificate_is_acceptable(hy_span(longer, size + 1)));
    FUZZ_CHECK(!hy_certificate_is_acceptable(hy_span(data, size - 1)));
    free(longer);
    return 0;
}
