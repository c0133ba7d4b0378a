/* A server of DHCPv6 that does nothing but answer: what is in each RELAY-FORW goes back in a RELAY-REPL, a SOLICIT
   as ADVERTISE, everything else as REPLY, with all that the relay said of it.

   answer6                                                                                                      */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { BATCH = 64, SLOT = 2048, BUFFER = 128 << 20, HEADER = 34, RELAY_MESSAGE = 9 };

static unsigned char slots[BATCH][SLOT];

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int answered(unsigned char *message, int size)
{
    if (size < HEADER || message[0] != 12)
        return 0;
    message[0] = 13;
    for (int at = HEADER; at + 4 < size;) {
        int code = message[at] << 8 | message[at + 1], length = message[at + 2] << 8 | message[at + 3];
        if (code == RELAY_MESSAGE) {
            message[at + 4] = message[at + 4] == 1 ? 2 : 7;
            return 1;
        }
        at += 4 + length;
    }
    return 0;
}

int main(void)
{
    struct sockaddr_in6 here = {.sin6_family = AF_INET6, .sin6_port = htons(547)}, from[BATCH];
    struct mmsghdr in[BATCH] = {0}, out[BATCH] = {0};
    struct iovec rooms[BATCH], parts[BATCH];
    int size = BUFFER, sock = socket(AF_INET6, SOCK_DGRAM, 0);

    if (sock < 0 || setsockopt(sock, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) ||
        bind(sock, (struct sockaddr *)&here, sizeof here))
        die("port 547");
    puts("ready");
    fflush(stdout);
    for (;;) {
        for (int at = 0; at < BATCH; at++) {
            rooms[at] = (struct iovec){slots[at], SLOT};
            in[at].msg_hdr = (struct msghdr){
                .msg_name = &from[at], .msg_namelen = sizeof from[at], .msg_iov = &rooms[at], .msg_iovlen = 1};
        }
        int count = recvmmsg(sock, in, BATCH, MSG_WAITFORONE, NULL), ready = 0, sent = 0;
        if (count < 0 && errno != EINTR)
            die("recvmmsg");
        for (int at = 0; at < count; at++) {
            if (!answered(slots[at], in[at].msg_len))
                continue;
            parts[ready] = (struct iovec){slots[at], in[at].msg_len};
            out[ready].msg_hdr = (struct msghdr){.msg_name = &from[at],
                                                 .msg_namelen = sizeof from[at],
                                                 .msg_iov = &parts[ready],
                                                 .msg_iovlen = 1};
            ready++;
        }
        while (sent < ready) {
            int done = sendmmsg(sock, out + sent, ready - sent, 0);
            sent += done > 0 ? done : 1;
        }
    }
}
