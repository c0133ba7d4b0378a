/* The least a relay of DHCPv6 could do: recvmmsg, a RELAY-FORW in front of each message, sendmmsg. No rules, no
   checks, no log. The clients' hardware addresses are taken from their addresses (EUI-64).

   floor6 SERVER LINK-ADDRESS INTERFACE                                                                        */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { BATCH = 64, FRONT = 192, SLOT = 2048, BUFFER = 128 << 20, HEADER = 34 };

static unsigned char slots[BATCH][FRONT + SLOT];

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static unsigned char *option(unsigned char *at, int code, int size)
{
    at[0] = code >> 8, at[1] = code, at[2] = size >> 8, at[3] = size;
    return at + 4;
}

int main(int argc, char **argv)
{
    struct sockaddr_in6 here = {.sin6_family = AF_INET6, .sin6_port = htons(547)}, server = here, from[BATCH];
    struct mmsghdr in[BATCH] = {0}, out[BATCH] = {0};
    struct iovec rooms[BATCH], parts[BATCH];
    struct ipv6_mreq group = {0};
    unsigned char front[FRONT] = {12}, *end;
    int size = BUFFER, sock, length;

    if (argc != 4 || inet_pton(AF_INET6, argv[1], &server.sin6_addr) != 1 ||
        inet_pton(AF_INET6, argv[2], front + 2) != 1 || strlen(argv[3]) > 32) {
        fprintf(stderr, "usage: floor6 SERVER LINK-ADDRESS INTERFACE\n");
        return 2;
    }
    inet_pton(AF_INET6, "ff02::1:2", &group.ipv6mr_multiaddr);
    group.ipv6mr_interface = if_nametoindex(argv[3]);
    sock = socket(AF_INET6, SOCK_DGRAM, 0);
    if (sock < 0 || setsockopt(sock, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) ||
        bind(sock, (struct sockaddr *)&here, sizeof here) ||
        setsockopt(sock, IPPROTO_IPV6, IPV6_JOIN_GROUP, &group, sizeof group))
        die("port 547");
    end = option(front + HEADER, 18, strlen(argv[3])); /* Interface-Id */
    memcpy(end, argv[3], strlen(argv[3]));
    end = option(end + strlen(argv[3]), 79, 8); /* client's link-layer address */
    end[0] = 0, end[1] = 1;
    end = option(end + 8, 9, 0); /* Relay Message */
    length = end - front;
    for (int at = 0; at < BATCH; at++) {
        memcpy(slots[at] + FRONT - length, front, length);
        rooms[at] = (struct iovec){slots[at] + FRONT, SLOT};
        out[at].msg_hdr = (struct msghdr){
            .msg_name = &server, .msg_namelen = sizeof server, .msg_iov = &parts[at], .msg_iovlen = 1};
    }
    for (;;) {
        for (int at = 0; at < BATCH; at++)
            in[at].msg_hdr = (struct msghdr){
                .msg_name = &from[at], .msg_namelen = sizeof from[at], .msg_iov = &rooms[at], .msg_iovlen = 1};
        int count = recvmmsg(sock, in, BATCH, MSG_WAITFORONE, NULL), sent = 0;
        if (count < 0 && errno != EINTR)
            die("recvmmsg");
        for (int at = 0; at < count; at++) {
            unsigned char *message = slots[at] + FRONT, *head = message - length, *mac = message - 10;
            const unsigned char *address = from[at].sin6_addr.s6_addr;
            memcpy(head + 18, address, 16);
            mac[0] = address[8] ^ 2;
            memcpy(mac + 1, address + 9, 2);
            memcpy(mac + 3, address + 13, 3);
            message[-2] = in[at].msg_len >> 8, message[-1] = in[at].msg_len;
            parts[at] = (struct iovec){head, length + in[at].msg_len};
        }
        while (sent < count) {
            int done = sendmmsg(sock, out + sent, count - sent, 0);
            sent += done > 0 ? done : 1;
        }
    }
}
