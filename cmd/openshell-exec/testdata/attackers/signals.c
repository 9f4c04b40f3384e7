// K27: a storm of signals while files are made. What is interrupted and begun
// again would find its own file. signals ROUNDS DIR
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

static volatile long caught;

static void handler(int sig) { caught++; }

int main(int argc, char **argv) {
	int rounds = atoi(argv[1]), made = 0, failed = 0;
	struct sigaction a = {.sa_handler = handler, .sa_flags = SA_RESTART};
	struct itimerval every = {{0, 100}, {0, 100}};
	sigaction(SIGALRM, &a, NULL);
	if (chdir(argv[2]) || setitimer(ITIMER_REAL, &every, NULL))
		return 2;
	for (int i = 0; i < rounds; i++) {
		char name[32];
		sprintf(name, "f%d", i);
		int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);
		if (fd > 2 && write(fd, "x", 1) == 1)
			made++;
		else
			failed++;
		if (fd >= 0)
			close(fd);
		if (unlink(name))
			failed++;
	}
	printf("made %d failed %d signals %s\n", made, failed, caught > rounds / 10 ? "many" : "few");
	return failed != 0;
}
