// X03: another process changes an argument through shared memory.
// sharedflip ROUNDS WIN FILE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
	int rounds = atoi(argv[1]), ran = 0, denied = 0, killed = 0;
	volatile char *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	word[0] = 'n';
	pid_t peer = fork();
	if (peer == 0)
		for (;;) {
			word[0] = 'y';
			for (volatile int i = 0; i < 20; i++) {}
			word[0] = 'n';
			for (volatile int i = 0; i < 20; i++) {}
		}
	for (int i = 0; i < rounds; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			char *args[] = {argv[2], (char *)word, argv[3], NULL};
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
	kill(peer, SIGKILL);
	printf("rounds %d ran %d denied %d killed %d\n", rounds, ran, denied, killed);
	return 0;
}
