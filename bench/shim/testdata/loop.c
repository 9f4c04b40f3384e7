// Repeats something and prints the nanoseconds of one round.
// loop spawn ROUNDS PROGRAM [ARG...] | loop open ROUNDS FILE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static void spawn(char **argv) {
	pid_t pid;
	int status;
	if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) || waitpid(pid, &status, 0) != pid || status)
		exit(3);
}

static void opens(char *file) {
	int fd = open(file, O_RDONLY);
	if (fd < 0)
		exit(4);
	close(fd);
}

int main(int argc, char **argv) {
	struct timespec a, b;
	int n = atoi(argv[2]), spawning = strcmp(argv[1], "spawn") == 0;
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = 0; i < n; i++)
		spawning ? spawn(argv + 3) : opens(argv[3]);
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("%.0f\n", ((b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec)) / n);
	return 0;
}
