/* A long wire between two network namespaces, in user space, for kernels with and without netem.
 *
 *   wire [-d MS] [-r MBIT] [-l PERCENT] NAMESPACE_A NAMESPACE_B
 *
 * Makes a TUN device `wan0` in either namespace (paths as in /run/netns/NAME) and carries IP packets between them:
 * each arrives MS milliseconds later (one way), at most MBIT megabits leave a second, PERCENT of them are lost.
 * Prints "ready" when both devices are there; whoever started it gives them their addresses. Runs until it is told
 * to stop, and the devices go with it.
 *
 * Either direction is a thread of its own that shares nothing with the other: it reads from one device into a ring
 * of packets with the time each is due, and writes to the other device what is due.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum {
    /* Longest packet; wan.sh sets the devices to it. */
    LONGEST = 1500,
    /* Packets on the way in one direction: 48 MB, more than a dozen connections keep in flight with the largest
     * windows that Linux gives. Only what is used is ever touched. A power of two. */
    SLOTS = 32768,
    /* Packets that are read before those that are due get their turn again. */
    BURST = 64,
};

static const uint64_t SECOND = 1000000000;
/* What waits for a rated link waits this long at most (or one round trip, if that is more); then the router's buffer
 * is full, and the next packet is dropped. */
static const uint64_t SHORTEST_BUFFER = 50000000;

struct packet {
    uint64_t due;
    uint32_t length;
    unsigned char bytes[LONGEST];
};

struct direction {
    int from, to;
    uint64_t delay, buffer;
    double nanoseconds_per_byte; /* 0: no limit */
    uint64_t loss;               /* of 2^32 */
    uint64_t random;
    uint64_t link_free;
    uint32_t first, next; /* of the ring; never wrapped, only masked */
    struct packet *ring;
};

static void fail(const char *what) {
    fprintf(stderr, "wire: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

/* A device in a namespace. It stays there when this process has moved on to the other namespace. */
static int device(const char *namespace) {
    int place = open(namespace, O_RDONLY | O_CLOEXEC);
    if (place < 0) fail(namespace);
    if (setns(place, CLONE_NEWNET) < 0) fail("setns (it needs root)");
    close(place);
    int file = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (file < 0) fail("/dev/net/tun");
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI, .ifr_name = "wan0"};
    if (ioctl(file, TUNSETIFF, &request) < 0) fail("making wan0");
    return file;
}

/* xorshift64*: the same losses in every run. */
static uint32_t random32(struct direction *wire) {
    wire->random ^= wire->random >> 12;
    wire->random ^= wire->random << 25;
    wire->random ^= wire->random >> 27;
    return (uint32_t)((wire->random * 0x2545f4914f6cdd1dull) >> 32);
}

static void deliver(struct direction *wire) {
    uint64_t time = now();
    while (wire->first != wire->next) {
        struct packet *packet = &wire->ring[wire->first % SLOTS];
        if (packet->due > time) return;
        /* A device that is down or short of memory loses packets, as any wire does. */
        if (write(wire->to, packet->bytes, packet->length) < 0 && (errno == EBADF || errno == EBADFD)) fail("writing");
        wire->first++;
    }
    /* From the beginning again, so that a quiet wire stays in few pages. */
    wire->first = wire->next = 0;
}

static void take(struct direction *wire) {
    static const size_t most = LONGEST;
    for (int count = 0; count < BURST; count++) {
        unsigned char scrap[LONGEST];
        int full = wire->next - wire->first == SLOTS;
        struct packet *packet = &wire->ring[wire->next % SLOTS];
        ssize_t length = read(wire->from, full ? scrap : packet->bytes, most);
        if (length <= 0) {
            if (length < 0 && errno != EAGAIN && errno != EINTR && errno != EIO) fail("reading");
            return;
        }
        if (full || (wire->loss && random32(wire) < wire->loss)) continue;
        uint64_t leaves = now();
        if (wire->nanoseconds_per_byte > 0) {
            if (wire->link_free < leaves) wire->link_free = leaves;
            if (wire->link_free - leaves > wire->buffer) continue;
            wire->link_free += (uint64_t)((double)length * wire->nanoseconds_per_byte);
            leaves = wire->link_free;
        }
        packet->due = leaves + wire->delay;
        packet->length = (uint32_t)length;
        wire->next++;
    }
}

static void *run(void *argument) {
    struct direction *wire = argument;
    /* Wake up when a packet is due, not up to 50 microseconds later. */
    prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul);
    for (;;) {
        deliver(wire);
        struct timespec wait, *limit = NULL;
        if (wire->first != wire->next) {
            uint64_t due = wire->ring[wire->first % SLOTS].due, time = now();
            uint64_t left = due > time ? due - time : 0;
            wait = (struct timespec){.tv_sec = (time_t)(left / SECOND), .tv_nsec = (long)(left % SECOND)};
            limit = &wait;
        }
        struct pollfd poll = {.fd = wire->from, .events = POLLIN};
        if (ppoll(&poll, 1, limit, NULL) < 0 && errno != EINTR) fail("ppoll");
        take(wire);
    }
    return NULL;
}

static double number(const char *text, double most) {
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value >= 0 && value <= most)) {
        fprintf(stderr, "wire: \"%s\" is no number from 0 to %g\n", text, most);
        exit(2);
    }
    return value;
}

int main(int count, char **words) {
    double delay = 25, rate = 0, loss = 0;
    for (int option; (option = getopt(count, words, "d:r:l:")) != -1;) {
        if (option == 'd') delay = number(optarg, 10000);
        else if (option == 'r') rate = number(optarg, 1e6);
        else if (option == 'l') loss = number(optarg, 100);
        else return 2;
    }
    if (count - optind != 2) {
        fprintf(stderr, "usage: wire [-d MS] [-r MBIT] [-l PERCENT] NAMESPACE_A NAMESPACE_B\n");
        return 2;
    }
    int a = device(words[optind]), b = device(words[optind + 1]);
    static struct direction wires[2];
    for (int index = 0; index < 2; index++) {
        struct direction *wire = &wires[index];
        wire->from = index ? b : a;
        wire->to = index ? a : b;
        wire->delay = (uint64_t)(delay * 1e6);
        wire->buffer = 2 * wire->delay > SHORTEST_BUFFER ? 2 * wire->delay : SHORTEST_BUFFER;
        wire->nanoseconds_per_byte = rate > 0 ? 8e3 / rate : 0;
        wire->loss = (uint64_t)(loss / 100 * 4294967296.0);
        wire->random = 88172645463325252ull + (uint64_t)index;
        wire->ring = malloc(sizeof(struct packet) * SLOTS);
        if (!wire->ring) fail("memory");
    }
    puts("ready");
    fflush(stdout);
    pthread_t thread;
    errno = pthread_create(&thread, NULL, run, &wires[1]);
    if (errno) fail("a thread");
    run(&wires[0]);
}
