#!/bin/sh
# A program that creates a cluster, as CIMASTER_COMMAND_PROGRAM names one. This sample only pretends to: put what builds
# a cluster where it sleeps. What is wanted stands in the environment:
#
#   AUTHOR         who wants it                 PURPOSE        what it is for
#   CREATION       id of the creation           BRANCH, JOB    as given to /createcluster; they may be empty
#   CREATION_KEY   the same key means the same cluster: look for it first, and build it only if it is not there
#
# The last line of standard output is the cluster, in JSON: cluster and region, and if need be purpose, osimage, labels,
# note. An exit status other than 0 is a failure, and the last line of standard error says why.
set -eu
trap 'echo "interrupted" >&2; exit 1' TERM INT

echo "creating a cluster for $PURPOSE, as $AUTHOR wishes"
sleep "${CREATE_SECONDS:-5}"

name="cluster-$(printf %s "$CREATION_KEY" | cksum | cut -d ' ' -f 1)"
printf '{"cluster": "%s", "region": "us-west", "purpose": "%s", "osimage": "sample", "note": "made by the sample program"}\n' \
  "$name" "$PURPOSE"
