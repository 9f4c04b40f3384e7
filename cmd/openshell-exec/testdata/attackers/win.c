// The program that must not run: it says that it did.
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
	if (argc > 1 && strcmp(argv[1], "y") == 0) {
		int fd = open(argv[2], O_WRONLY | O_APPEND);
		if (fd < 0 || write(fd, "w", 1) != 1)
			return 3;
		return 7;
	}
	return 0;
}
