/* Takes what was relayed, and tells how much of it came and when.

   sink udp                requests: what arrives at UDP port 67
   sink frames INTERFACE   replies: frames of UDP to port 68 that arrive at an interface
   sink udp6               the same of IPv6: port 547
   sink frames6 INTERFACE  port 546

   It knows messages by what `load` wrote into them. Prints one JSON object when its standard input ends: how
   many different messages came, how many came again, and in microseconds how old they were when the kernel had
   them (median, 99 of 100, oldest; SO_TIMESTAMPNS).                                                           */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 256, SLOT = 2048, HEADERS = 42, XID = 4, SNAME = 44, BOOTP = 236, BUFFER = 512 << 20 };
enum { HEADERS6 = 62, MARK = 12 };
enum { MOST = 1 << 26, STEPS = 1 << 22 }; /* messages told apart; steps of a microsecond for their age */

static unsigned char slots[BATCH][SLOT], seen[MOST / 8];
static uint32_t ages[STEPS];
static unsigned long long fresh, again, foreign;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int open_udp6(void)
{
    struct sockaddr_in6 here = {.sin6_family = AF_INET6, .sin6_port = htons(547)};
    int sock = socket(AF_INET6, SOCK_DGRAM, 0);
    if (sock < 0 || bind(sock, (struct sockaddr *)&here, sizeof here))
        die("port 547");
    return sock;
}

static int open_udp(void)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(67)};
    int sock = socket(AF_INET, SOCK_DGRAM, 0);
    if (sock < 0 || bind(sock, (struct sockaddr *)&here, sizeof here))
        die("port 67");
    return sock;
}

static int open_frames(const char *interface, int type)
{
    struct sockaddr_ll place = {
        .sll_family = AF_PACKET, .sll_protocol = htons(type), .sll_ifindex = if_nametoindex(interface)};
    int sock = socket(AF_PACKET, SOCK_RAW, 0);
    if (sock < 0 || !place.sll_ifindex || bind(sock, (struct sockaddr *)&place, sizeof place))
        die(interface);
    return sock;
}

static void take(const unsigned char *numbered, const unsigned char *stamped, int64_t arrived)
{
    uint32_t number;
    int64_t stamp;
    memcpy(&number, numbered, sizeof number);
    memcpy(&stamp, stamped, sizeof stamp);
    number = ntohl(number);
    if (number >= MOST) {
        foreign++;
        return;
    }
    if (seen[number / 8] >> number % 8 & 1) {
        again++;
        return;
    }
    seen[number / 8] |= 1 << number % 8;
    fresh++;
    int64_t age = (arrived - stamp) / 1000;
    ages[age < 0 ? 0 : age >= STEPS ? STEPS - 1 : age]++;
}

static int64_t time_of(struct msghdr *header)
{
    for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part; part = CMSG_NXTHDR(header, part))
        if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_TIMESTAMPNS) {
            struct timespec time;
            memcpy(&time, CMSG_DATA(part), sizeof time);
            return time.tv_sec * 1000000000LL + time.tv_nsec;
        }
    return 0;
}

static long long percentile(double part)
{
    unsigned long long wanted = fresh * part, passed = 0;
    for (int at = 0; at < STEPS; at++)
        if ((passed += ages[at]) > wanted || (passed == fresh && fresh))
            return at;
    return -1;
}

int main(int argc, char **argv)
{
    static char controls[BATCH][128];
    struct mmsghdr batch[BATCH] = {0};
    struct iovec rooms[BATCH];
    int whole = argc == 3 && !strncmp(argv[1], "frames", 6), yes = 1, size = BUFFER, sock;
    int six = argc > 1 && *argv[1] && argv[1][strlen(argv[1]) - 1] == '6';

    if (!whole && (argc != 2 || strncmp(argv[1], "udp", 3))) {
        fprintf(stderr, "usage: sink udp | sink frames INTERFACE | sink udp6 | sink frames6 INTERFACE\n");
        return 2;
    }
    if (six)
        sock = whole ? open_frames(argv[2], ETH_P_IPV6) : open_udp6();
    else
        sock = whole ? open_frames(argv[2], ETH_P_IP) : open_udp();
    if (setsockopt(sock, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) ||
        setsockopt(sock, SOL_SOCKET, SO_TIMESTAMPNS, &yes, sizeof yes))
        die("sink");
    puts("ready");
    fflush(stdout);
    struct pollfd wanted[] = {{sock, POLLIN, 0}, {0, POLLIN, 0}};
    for (;;) {
        if (poll(wanted, 2, -1) < 0 && errno != EINTR)
            die("poll");
        if (!(wanted[0].revents & POLLIN)) {
            char rest[64];
            if (wanted[1].revents && read(0, rest, sizeof rest) <= 0)
                break;
            continue;
        }
        for (int at = 0; at < BATCH; at++) {
            rooms[at] = (struct iovec){slots[at], SLOT};
            batch[at].msg_hdr = (struct msghdr){.msg_iov = &rooms[at],
                                                .msg_iovlen = 1,
                                                .msg_control = controls[at],
                                                .msg_controllen = sizeof controls[at]};
        }
        int count = recvmmsg(sock, batch, BATCH, MSG_DONTWAIT, NULL), head = whole ? HEADERS : 0;
        for (int at = 0; at < count; at++) {
            const unsigned char *octets = slots[at];
            if (six) {
                int size = batch[at].msg_len, least = (whole ? HEADERS6 : 0) + MARK + 4;
                const unsigned char *mark = octets + size - MARK;
                if (size < least || mark[-4] != 0xfe || mark[-3] != 0x09 ||
                    (whole && (octets[20] != IPPROTO_UDP || octets[56] != 2 || octets[57] != 34)))
                    foreign++;
                else
                    take(mark, mark + 4, time_of(&batch[at].msg_hdr));
                continue;
            }
            if ((int)batch[at].msg_len < head + BOOTP ||
                (whole && (octets[23] != IPPROTO_UDP || octets[36] != 0 || octets[37] != 68)))
                foreign++;
            else
                take(octets + head + XID, octets + head + SNAME, time_of(&batch[at].msg_hdr));
        }
    }
    printf("{\"messages\": %llu, \"again\": %llu, \"foreign\": %llu, \"median_us\": %lld, \"p99_us\": %lld, "
           "\"oldest_us\": %lld}\n",
           fresh, again, foreign, percentile(0.5), percentile(0.99), percentile(1.0));
    return 0;
}
