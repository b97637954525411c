/* A disk that forgets: preloaded into a process, it keeps beside a folder what a power cut would leave of that folder
 * at worst, namely nothing that was not synced.
 *
 * POWERCUT_FOLDER   the folder that may lose power, by its real path
 * POWERCUT_DURABLE  gets for every file "content-<inode>", the bytes at the beginning of the last successful fsync or
 *                   fdatasync of that file; and "names", one line "<inode> <name>" for each name that the folder had at
 *                   the beginning of the last successful fsync or fdatasync of the folder itself
 *
 * Once a file "lies" is in POWERCUT_DURABLE, syncing succeeds and keeps nothing.
 * All processes take turns (flock of "lock"), so that whoever holds the lock sees what a cut at that moment leaves.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A harness that cannot keep its word ends the process, and with it the test. */
static int must(int result)
{
    if (result < 0) {
        perror("powercut");
        abort();
    }
    return result;
}

static int is_watched(int fd)
{
    const char *folder = getenv("POWERCUT_FOLDER");
    size_t length = folder ? strlen(folder) : 0;
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t got = readlink(link, path, sizeof path - 1);
    if (!length || got < (ssize_t)length || strncmp(path, folder, length) != 0)
        return 0;
    return got == (ssize_t)length || path[length] == '/';
}

/* Reads through the descriptor that is there: closing a second one would drop the locks that SQLite has on the file. */
static void write_content(int to, int fd)
{
    static __thread char block[1 << 16];
    off_t at = 0;
    ssize_t got;
    while ((got = must(pread(fd, block, sizeof block, at))) > 0) {
        must(write(to, block, got) == got ? 0 : -1);
        at += got;
    }
}

static void write_names(int to)
{
    DIR *folder = opendir(getenv("POWERCUT_FOLDER"));
    must(folder ? 0 : -1);
    for (struct dirent *entry; (entry = readdir(folder));)
        must(dprintf(to, "%ju %s\n", (uintmax_t)entry->d_ino, entry->d_name));
    closedir(folder);
}

static int sync_and_keep(int fd, long call, int durable)
{
    struct stat file;
    char name[64] = "names";
    int next = must(openat(durable, "next", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    must(fstat(fd, &file));
    if (S_ISDIR(file.st_mode)) {
        write_names(next);
    } else {
        write_content(next, fd);
        snprintf(name, sizeof name, "content-%ju", (uintmax_t)file.st_ino);
    }
    close(next);
    int result = syscall(call, fd);
    if (result == 0)
        must(renameat(durable, "next", durable, name));
    return result;
}

static int synced(int fd, long call)
{
    if (!is_watched(fd))
        return syscall(call, fd);
    int durable = must(open(getenv("POWERCUT_DURABLE"), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    int lock = must(openat(durable, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    must(flock(lock, LOCK_EX));
    int lies = faccessat(durable, "lies", F_OK, 0) == 0;
    int result = lies ? 0 : sync_and_keep(fd, call, durable);
    int error = errno;
    close(lock);
    close(durable);
    errno = error;
    return result;
}

int fsync(int fd)
{
    return synced(fd, SYS_fsync);
}

int fdatasync(int fd)
{
    return synced(fd, SYS_fdatasync);
}
