#!/bin/sh
# A program that cleans a cluster, as a section of CIMASTER_CHECKS_FILE names one. This sample only pretends to: put what
# removes the traces of a test where it sleeps. The environment says which cluster:
#
#   CLUSTER, REGION    its name and region      PURPOSE, OSIMAGE    what it is for, and its image
#   CHECK_KEY          the same key means the same clean, which another replica repeats after this one has died
#
# An exit status other than 0 is a failure, and the last line of standard error says why.
set -eu
trap 'echo "interrupted" >&2; exit 1' TERM INT

: "${CLUSTER:?is not set}"
sleep "${WIPE_SECONDS:-5}"
