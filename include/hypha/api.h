/* hypha/api.h - what every public header needs: visibility, checked results, C++ guards. */
#ifndef HYPHA_API_H
#define HYPHA_API_H

#if defined(__GNUC__)
#define HYPHA_API               __attribute__((visibility("default")))
#define HYPHA_CHECKED           __attribute__((warn_unused_result))
#define HYPHA_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define HYPHA_API
#define HYPHA_CHECKED
#define HYPHA_PRINTF(fmt, args)
#endif

#ifdef __cplusplus
#define HYPHA_BEGIN_DECLS extern "C" {
#define HYPHA_END_DECLS   }
#else
#define HYPHA_BEGIN_DECLS
#define HYPHA_END_DECLS
#endif

#endif
