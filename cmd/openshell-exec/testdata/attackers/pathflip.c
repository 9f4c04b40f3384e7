// X01: another thread changes the path while execve runs.
// pathflip ROUNDS HARMLESS WIN FILE; the two paths differ in the last letter.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile char path[4096];
static char *a, *b;
static size_t length;

static void *flip(void *stop) {
	while (!*(volatile int *)stop) {
		path[length - 1] = b[length - 1];
		for (volatile int i = 0; i < 20; i++) {}
		path[length - 1] = a[length - 1];
		for (volatile int i = 0; i < 20; i++) {}
	}
	return NULL;
}

int main(int argc, char **argv) {
	int rounds = atoi(argv[1]), ran = 0, denied = 0, killed = 0;
	a = argv[2], b = argv[3], length = strlen(a);
	if (strlen(b) != length || strncmp(a, b, length - 1))
		return 2;
	strcpy((char *)path, a);
	for (int i = 0; i < rounds; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			int stop = 0;
			pthread_t t;
			pthread_create(&t, NULL, flip, &stop);
			char *args[] = {"x", "y", argv[4], NULL};
			usleep(rand() % 50 + i % 50);
			execve((char *)path, args, (char *[]){NULL});
			_exit(9);
		}
		int status;
		waitpid(pid, &status, 0);
		if (WIFSIGNALED(status))
			killed++;
		else if (WEXITSTATUS(status) == 9)
			denied++;
		else
			ran++;
	}
	printf("rounds %d ran %d denied %d killed %d\n", rounds, ran, denied, killed);
	return 0;
}
