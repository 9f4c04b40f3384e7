// K26: many threads open at once. openload THREADS ROUNDS ALLOWED BLOCKED
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int rounds;
static char **args;
static int opened, refused, wrong;

static void *work(void *arg) {
	for (int i = 0; i < rounds; i++) {
		int fd = open(args[3], O_RDONLY);
		if (fd > 2)
			__sync_add_and_fetch(&opened, 1);
		else
			__sync_add_and_fetch(&wrong, 1);
		if (fd >= 0)
			close(fd);
		errno = 0;
		if (open(args[4], O_RDONLY) == -1 && errno == EACCES)
			__sync_add_and_fetch(&refused, 1);
		else
			__sync_add_and_fetch(&wrong, 1);
	}
	return NULL;
}

int main(int argc, char **argv) {
	int n = atoi(argv[1]);
	pthread_t t[256];
	rounds = atoi(argv[2]), args = argv;
	for (int i = 0; i < n; i++)
		if (pthread_create(&t[i], NULL, work, NULL))
			return 2;
	for (int i = 0; i < n; i++)
		pthread_join(t[i], NULL);
	printf("opened %d refused %d wrong %d\n", opened, refused, wrong);
	return wrong != 0;
}
