// A folder that holds a blocked file changes its name while the file is opened.
// movedir ROUNDS DIR; DIR/secret/key is blocked by its path.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static volatile int stop;

static void *mover(void *arg) {
	while (!stop) {
		rename("secret", "open");
		rename("open", "secret");
		renameat2(AT_FDCWD, "decoy", AT_FDCWD, "secret", RENAME_EXCHANGE);
	}
	return NULL;
}

int main(int argc, char **argv) {
	int rounds = atoi(argv[1]), opened = 0, refused = 0, won = 0;
	if (chdir(argv[2]) || mkdir("decoy", 0700))
		return 2;
	close(open("decoy/key", O_WRONLY | O_CREAT, 0600));
	pthread_t t;
	pthread_create(&t, NULL, mover, NULL);
	char *names[] = {"secret/key", "open/key", "decoy/key", "secret/../secret/key"};
	for (int i = 0; i < rounds; i++) {
		int fd = open(names[i % 4], O_RDONLY);
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
