/* The least a relay could do: recvmmsg, patch hops and giaddr, sendmmsg. No rules, no checks, no log.

   floor SERVER GIADDR                                                                                  */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { BATCH = 64, SLOT = 2048, HOPS = 3, GIADDR = 24, HEADER = 236, BUFFER = 128 << 20 };

static unsigned char slots[BATCH][SLOT];

static void die(const char *what)
{
    perror(what);
    exit(1);
}

int main(int argc, char **argv)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(67)}, server = here;
    struct mmsghdr in[BATCH] = {0}, out[BATCH] = {0};
    struct iovec rooms[BATCH], parts[BATCH];
    struct in_addr giaddr;
    int size = BUFFER, sock;

    if (argc != 3 || !inet_aton(argv[1], &server.sin_addr) || !inet_aton(argv[2], &giaddr)) {
        fprintf(stderr, "usage: floor SERVER GIADDR\n");
        return 2;
    }
    sock = socket(AF_INET, SOCK_DGRAM, 0);
    if (sock < 0 || setsockopt(sock, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) ||
        bind(sock, (struct sockaddr *)&here, sizeof here))
        die("port 67");
    for (int at = 0; at < BATCH; at++) {
        rooms[at] = (struct iovec){slots[at], SLOT};
        in[at].msg_hdr = (struct msghdr){.msg_iov = &rooms[at], .msg_iovlen = 1};
        out[at].msg_hdr = (struct msghdr){
            .msg_name = &server, .msg_namelen = sizeof server, .msg_iov = &parts[at], .msg_iovlen = 1};
    }
    for (;;) {
        int count = recvmmsg(sock, in, BATCH, MSG_WAITFORONE, NULL), ready = 0, sent = 0;
        if (count < 0 && errno != EINTR)
            die("recvmmsg");
        for (int at = 0; at < count; at++) {
            if (in[at].msg_len < HEADER)
                continue;
            slots[at][HOPS]++;
            memcpy(slots[at] + GIADDR, &giaddr, sizeof giaddr);
            parts[ready++] = (struct iovec){slots[at], in[at].msg_len};
        }
        while (sent < ready) {
            int done = sendmmsg(sock, out + sent, ready - sent, 0);
            sent += done > 0 ? done : 1;
        }
    }
}
