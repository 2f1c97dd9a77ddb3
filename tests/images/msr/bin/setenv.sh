# shellcheck shell=sh disable=SC2034 # read by server.sh
# The JVM's settings. What the container's environment says is kept, and added to.
JAVA_MIN_MEM=${JAVA_MIN_MEM:-16M}
JAVA_MAX_MEM=${JAVA_MAX_MEM:-64M}
JAVA_CUSTOM_OPTS="${JAVA_CUSTOM_OPTS} ${JAVA_DEBUGGER_OPTS}"
