/* Sends frames at a steady rate, as they come from a file.

   load INTERFACE FILE RATE COUNT [ATONCE]

   FILE holds frames, each behind its length in two octets, the host's order; they are sent in turn, COUNT in
   all, RATE a second (0: as fast as it goes), ATONCE in a call (at most 64) or as many as are due. Each becomes unmistakable: its xid is its number, counted from 0,
   and the first eight octets of sname are the time it was sent, nanoseconds of CLOCK_REALTIME. So the UDP
   checksum must be 0. IPv6's that end with option 65033 of 12 octets have both in it, and their checksum is made
   right; all others are sent as they are. Prints what it did as JSON.                                          */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

enum { BATCH = 64, SLOT = 2048, XID = 42 + 4, SNAME = 42 + 44 };

static const int64_t TICK = 100 * 1000; /* nanoseconds between two looks at the clock */

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int64_t now(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static unsigned char *read_all(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    struct stat about;
    unsigned char *octets;
    if (!file || fstat(fileno(file), &about) || !(octets = malloc(about.st_size)) ||
        fread(octets, 1, about.st_size, file) != (size_t)about.st_size)
        die(path);
    fclose(file);
    *size = about.st_size;
    return octets;
}

static int open_wire(const char *interface)
{
    struct sockaddr_ll place = {.sll_family = AF_PACKET, .sll_ifindex = if_nametoindex(interface)};
    int sock = socket(AF_PACKET, SOCK_RAW, 0), yes = 1, size = 8 << 20;
    if (sock < 0 || !place.sll_ifindex || bind(sock, (struct sockaddr *)&place, sizeof place) ||
        setsockopt(sock, SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof yes) ||
        setsockopt(sock, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size))
        die(interface);
    return sock;
}

/* Number and time in the last 12 octets, which are zero and behind an option's code and length. */
static void mark6(unsigned char *frame, uint16_t length, uint32_t number, int64_t stamp)
{
    enum { UDP = 54, CHECKSUM = UDP + 6, MARK = 12 };
    static const unsigned char head[] = {0xfe, 0x09, 0, MARK};
    unsigned char *mark = frame + length - MARK;
    uint32_t sum;
    if (frame[12] != 0x86 || frame[13] != 0xdd || frame[20] != IPPROTO_UDP || length < UDP + 8 + MARK + 4 ||
        memcmp(mark - sizeof head, head, sizeof head))
        return;
    memcpy(mark, &number, sizeof number);
    memcpy(mark + sizeof number, &stamp, sizeof stamp);
    sum = 0xffff & ~(frame[CHECKSUM] << 8 | frame[CHECKSUM + 1]);
    for (int at = length - MARK; at < length; at++)
        sum += (at - UDP) % 2 ? frame[at] : frame[at] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    sum = sum == 0xffff ? 0xffff : 0xffff & ~sum;
    frame[CHECKSUM] = sum >> 8, frame[CHECKSUM + 1] = sum;
}

int main(int argc, char **argv)
{
    static unsigned char slots[BATCH][SLOT];
    struct mmsghdr batch[BATCH] = {0};
    struct iovec parts[BATCH];
    size_t size, at = 0;

    if (argc < 5 || argc > 6) {
        fprintf(stderr, "usage: load INTERFACE FILE RATE COUNT [ATONCE]\n");
        return 2;
    }
    int sock = open_wire(argv[1]);
    unsigned char *frames = read_all(argv[2], &size);
    int64_t rate = atoll(argv[3]), count = atoll(argv[4]), sent = 0, refused = 0;
    int64_t at_once = argc == 6 ? atoll(argv[5]) : 1;
    prctl(PR_SET_TIMERSLACK, 1);
    int64_t start = now(CLOCK_MONOTONIC), tick = start;
    while (sent < count) {
        int64_t due = rate ? (now(CLOCK_MONOTONIC) - start) * rate / 1000000000LL + 1 : count;
        if (due > count)
            due = count;
        while (sent < due && (due - sent >= at_once || due == count)) {
            int ready = 0, done = 0;
            int64_t stamp = now(CLOCK_REALTIME);
            for (; ready < BATCH && sent + ready < due; ready++) {
                uint16_t length;
                uint32_t number = htonl(sent + ready);
                memcpy(&length, frames + at, sizeof length);
                memcpy(slots[ready], frames + at + sizeof length, length);
                if (slots[ready][12] == ETHERTYPE_IP >> 8 && slots[ready][13] == (ETHERTYPE_IP & 255)) {
                    memcpy(slots[ready] + XID, &number, sizeof number);
                    memcpy(slots[ready] + SNAME, &stamp, sizeof stamp);
                } else
                    mark6(slots[ready], length, number, stamp);
                parts[ready] = (struct iovec){slots[ready], length};
                batch[ready].msg_hdr = (struct msghdr){.msg_iov = &parts[ready], .msg_iovlen = 1};
                at = (at + sizeof length + length) % size;
            }
            while (done < ready) {
                int went = sendmmsg(sock, batch + done, ready - done, 0);
                if (went > 0)
                    done += went;
                else if (errno == ENOBUFS || errno == EAGAIN)
                    refused++;
                else
                    die("sendmmsg");
            }
            sent += ready;
        }
        tick += TICK;
        struct timespec until = {tick / 1000000000LL, tick % 1000000000LL};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    }
    printf("{\"sent\": %lld, \"seconds\": %.6f, \"refused\": %lld}\n", (long long)sent,
           (now(CLOCK_MONOTONIC) - start) / 1e9, (long long)refused);
    return 0;
}
