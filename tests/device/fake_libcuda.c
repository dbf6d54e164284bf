/* The six functions of libcuda that capture graphs, as strict about 64-bit handles as the real one. */
#include <stddef.h>

#define STREAM ((void *)0x7f0123456789abc0)
#define GRAPH ((void *)0x7f1123456789abc0)
#define READY ((void *)0x7f2123456789abc0)

static int capturing, graphs, ready;

/* 1: invalid value, 900: not permitted while capturing. */
int cuStreamBeginCapture_v2(void *stream, int mode) {
    if (stream != STREAM || mode != 1) return 1;
    if (capturing) return 900;
    capturing = 1;
    return 0;
}
int cuStreamEndCapture(void *stream, void **graph) {
    if (stream != STREAM || !capturing) return 1;
    capturing = 0, graphs++;
    *graph = GRAPH;
    return 0;
}
int cuGraphInstantiateWithFlags(void **exec, void *graph, unsigned long long flags) {
    if (graph != GRAPH || flags) return 1;
    ready++;
    *exec = READY;
    return 0;
}
int cuGraphLaunch(void *exec, void *stream) { return exec == READY && stream == STREAM ? 0 : 1; }
int cuGraphDestroy(void *graph) { return graph == GRAPH && graphs-- > 0 ? 0 : 1; }
int cuGraphExecDestroy(void *exec) { return exec == READY && ready-- > 0 ? 0 : 1; }
int held(void) { return 2 * graphs + ready; }
