// R03: executions as fast as they go, from many threads, every second of them one
// that is blocked. execstorm THREADS ROUNDS PROGRAM SCORE
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static int rounds, ran, refused, wrong;
static char **args;

static void *work(void *arg) {
	for (int i = 0; i < rounds; i++) {
		char *argv[] = {args[3], i % 2 ? "y" : "n", args[4], NULL};
		pid_t pid;
		int status, error = posix_spawn(&pid, args[3], NULL, NULL, argv, environ);
		if (error) {
			__sync_add_and_fetch(i % 2 ? &refused : &wrong, 1);
			continue;
		}
		waitpid(pid, &status, 0);
		__sync_add_and_fetch(i % 2 || status ? &wrong : &ran, 1);
	}
	return NULL;
}

int main(int argc, char **argv) {
	int n = atoi(argv[1]);
	pthread_t t[256];
	rounds = atoi(argv[2]), args = argv;
	for (int i = 0; i < n; i++)
		if (pthread_create(&t[i], NULL, work, NULL))
			return 2;
	for (int i = 0; i < n; i++)
		pthread_join(t[i], NULL);
	printf("ran %d refused %d wrong %d\n", ran, refused, wrong);
	return wrong != 0;
}
