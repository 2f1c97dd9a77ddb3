#!/bin/sh
# Runs the JVM, again for as long as it asks for it by exit code 42.
# The signals stay ignored in the JVM, which therefore ends only when the lock file goes.
trap "" TERM HUP

BINDIR=$(dirname "$0")
HOME_DIR=$(cd "${BINDIR}/.." && pwd)
# shellcheck source=tests/images/msr/bin/setenv.sh
. "${BINDIR}/setenv.sh"
# A JAVA_OPTS of the environment is lost here, as it is in MSR.
JAVA_OPTS=${JAVA_CUSTOM_OPTS}
RESTART=42

STATUS=${RESTART}
while [ "${STATUS}" -eq "${RESTART}" ]; do
	echo "Starting Software AG Microservices Runtime"
	# Split into words without a look at quotes, as MSR does: a quote in the value stops the JVM.
	# shellcheck disable=SC2086
	"${JAVA_HOME}/bin/java" "-Xms${JAVA_MIN_MEM}" "-Xmx${JAVA_MAX_MEM}" -XX:+UseSerialGC \
		-Djava.net.preferIPv4Stack=true ${JAVA_OPTS} "-Dwatt.server.homeDir=${HOME_DIR}" \
		-classpath "${HOME_DIR}/lib/classes" tlsdebug.lab.Main "$@"
	STATUS=$?
done
exit "${STATUS}"
