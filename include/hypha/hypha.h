/* hypha/hypha.h - the whole library in one include. */
#ifndef HYPHA_HYPHA_H
#define HYPHA_HYPHA_H

#include <hypha/api.h>
#include <hypha/channel.h>
#include <hypha/err.h>
#include <hypha/events.h>
#include <hypha/log.h>
#include <hypha/loop.h>
#include <hypha/p2p.h>
#include <hypha/protocol.h>
#include <hypha/settings.h>
#include <hypha/url.h>
#include <hypha/wire.h>

#endif
