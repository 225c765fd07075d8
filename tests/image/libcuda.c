/* Stands in for NVIDIA's driver: says that it was loaded, and has no device. */
#include <stdio.h>

__attribute__((constructor)) static void loaded(void) { puts("the driver is loaded"); }

int cuInit(unsigned flags) { return 100; } /* CUDA_ERROR_NO_DEVICE */
