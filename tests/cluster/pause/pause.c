/*
 * The first process of every pod: it holds the pod's namespaces open and, where a pod's containers share one process
 * namespace, takes the exit status of orphans. It ends at once when asked to, so that deleting a pod does not wait.
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void leave(int number)
{
	(void)number;
	_exit(0);
}

static void reap(int number)
{
	(void)number;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		continue;
}

int main(void)
{
	signal(SIGINT, leave);
	signal(SIGTERM, leave);
	signal(SIGCHLD, reap);
	for (;;)
		pause();
}
