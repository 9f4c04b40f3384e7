// K01: another thread changes the path, or the flags of openat2, while a file is
// opened. openflip ROUNDS HARMLESS BLOCKED path|how
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static volatile char path[4096];
static char *a, *b;
static size_t length;
static volatile struct open_how how;
static volatile int stop, hows;

static void *flip(void *arg) {
	while (!stop) {
		if (hows) {
			how.flags = O_RDONLY;
			how.flags = O_PATH;
		} else {
			path[length - 1] = b[length - 1];
			for (volatile int i = 0; i < 20; i++) {}
			path[length - 1] = a[length - 1];
			for (volatile int i = 0; i < 20; i++) {}
		}
	}
	return NULL;
}

int main(int argc, char **argv) {
	int rounds = atoi(argv[1]), opened = 0, refused = 0, won = 0;
	a = argv[2], b = argv[3], length = strlen(a);
	if (strlen(b) != length)
		return 2;
	hows = strcmp(argv[4], "how") == 0;
	strcpy((char *)path, hows ? b : a);
	pthread_t t;
	pthread_create(&t, NULL, flip, NULL);
	for (int i = 0; i < rounds; i++) {
		int fd = hows ? (int)syscall(SYS_openat2, AT_FDCWD, (char *)path, (void *)&how, sizeof how) : open((char *)path, O_RDONLY);
		if (fd < 0) {
			refused++;
			continue;
		}
		char buf[64] = "";
		if (read(fd, buf, sizeof buf - 1) > 0 && strstr(buf, "SECRET"))
			won++;
		opened++;
		close(fd);
	}
	stop = 1;
	pthread_join(t, NULL);
	printf("rounds %d opened %d refused %d\nwon %d\n", rounds, opened, refused, won);
	return won != 0;
}
