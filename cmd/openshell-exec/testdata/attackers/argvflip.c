// X02: another thread changes an argument while execve runs.
// argvflip ROUNDS WIN FILE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile char word[2] = "n";

static void *flip(void *stop) {
	while (!*(volatile int *)stop) {
		word[0] = 'y';
		for (volatile int i = 0; i < 20; i++) {}
		word[0] = 'n';
		for (volatile int i = 0; i < 20; i++) {}
	}
	return NULL;
}

int main(int argc, char **argv) {
	int rounds = atoi(argv[1]), ran = 0, denied = 0, killed = 0;
	for (int i = 0; i < rounds; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			int stop = 0;
			pthread_t t;
			pthread_create(&t, NULL, flip, &stop);
			char *args[] = {argv[2], (char *)word, argv[3], NULL};
			usleep(rand() % 50 + i % 50);
			execve(argv[2], args, (char *[]){NULL});
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
