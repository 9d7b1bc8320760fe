#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A worker by Beam's container contract (--id, --provision_endpoint): the command of a PROCESS environment.
# WORKER_NODE: the Node to run it with (default: the one of this checkout); WORKER_NODE_ARGS: flags for it (default: that of cli/programs/worker-node-args.ts).
here=$(cd "$(dirname "$0")/.." && pwd)
exec "${WORKER_NODE:-$here/node_modules/.bin/node}" ${WORKER_NODE_ARGS:---max-semi-space-size=64} "$here/dist/cli/programs/worker-boot.js" "$@"
