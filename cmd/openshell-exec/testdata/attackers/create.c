// K30: a file is created through a name that is a link to a blocked place half of
// the time. create ROUNDS DIR BLOCKED
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static volatile int stop;
static char *blocked;

static void *linker(void *arg) {
	while (!stop) {
		symlink(blocked, "new");
		unlink("new");
	}
	return NULL;
}

int main(int argc, char **argv) {
	int rounds = atoi(argv[1]), made = 0, refused = 0;
	blocked = argv[3];
	if (chdir(argv[2]))
		return 2;
	pthread_t t;
	pthread_create(&t, NULL, linker, NULL);
	for (int i = 0; i < rounds; i++) {
		int fd = open("new", O_WRONLY | O_CREAT, 0600);
		if (fd < 0) {
			refused++;
			continue;
		}
		made++;
		close(fd);
		unlink("new");
	}
	stop = 1;
	pthread_join(t, NULL);
	int won = access(blocked, F_OK) == 0;
	printf("rounds %d made %d refused %d\nwon %d\n", rounds, made, refused, won);
	return won;
}
