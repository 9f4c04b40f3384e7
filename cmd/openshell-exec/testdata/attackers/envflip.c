// X08: another thread turns a harmless variable into LD_PRELOAD.
// envflip ROUNDS PROGRAM
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile char entry[] = "XD_PRELOAD=/nowhere.so";

static void *flip(void *stop) {
	while (!*(volatile int *)stop) {
		entry[0] = 'L';
		for (volatile int i = 0; i < 20; i++) {}
		entry[0] = 'X';
		for (volatile int i = 0; i < 20; i++) {}
	}
	return NULL;
}

// The program exits 7 if LD_PRELOAD is set.
int main(int argc, char **argv) {
	if (argc == 2 && strcmp(argv[1], "look") == 0)
		return getenv("LD_PRELOAD") ? 7 : 0;
	int rounds = atoi(argv[1]), ran = 0, denied = 0, killed = 0, won = 0;
	for (int i = 0; i < rounds; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			int stop = 0;
			pthread_t t;
			pthread_create(&t, NULL, flip, &stop);
			usleep(rand() % 50 + i % 50);
			execve(argv[2], (char *[]){argv[2], "look", NULL}, (char *[]){(char *)entry, NULL});
			_exit(9);
		}
		int status;
		waitpid(pid, &status, 0);
		if (WIFSIGNALED(status))
			killed++;
		else if (WEXITSTATUS(status) == 7)
			won++;
		else if (WEXITSTATUS(status) == 9)
			denied++;
		else
			ran++;
	}
	printf("rounds %d ran %d denied %d killed %d\nwon %d\n", rounds, ran, denied, killed, won);
	return won != 0;
}
