// K02: links change places while a path is followed.
// swap ROUNDS DIR BLOCKED; DIR/harmless is a file.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile int stop;

static void *swapper(void *arg) {
	while (!stop)
		renameat2(AT_FDCWD, "link", AT_FDCWD, "other", RENAME_EXCHANGE);
	return NULL;
}

int main(int argc, char **argv) {
	int rounds = atoi(argv[1]), opened = 0, refused = 0, won = 0, wrote = 0;
	if (chdir(argv[2]) || symlink("harmless", "link") || symlink(argv[3], "other"))
		return 2;
	pthread_t t;
	pthread_create(&t, NULL, swapper, NULL);
	for (int i = 0; i < rounds; i++) {
		int fd = open("link", i % 4 ? O_RDONLY : O_WRONLY | O_CREAT | O_APPEND, 0600);
		if (fd < 0) {
			refused++;
			continue;
		}
		char buf[64] = "";
		if (i % 4 == 0)
			wrote += write(fd, "x", 1) == 1;
		else if (read(fd, buf, sizeof buf - 1) > 0 && strstr(buf, "SECRET"))
			won++;
		opened++;
		close(fd);
	}
	stop = 1;
	pthread_join(t, NULL);
	printf("rounds %d opened %d refused %d wrote %d\nwon %d\n", rounds, opened, refused, wrote, won);
	return won != 0;
}
