// Batch norm per group with a fused addition and ReLU, on channels-last arrays (groups, values, channels).
//
// A block of channels of one group is one task: it fits a core's cache, so that the passes over it (mean, variance,
// output; or sums, gradient) read memory once.

#include <cmath>
#include <cstdint>

namespace {

constexpr int kBlock = 64;  // channels of a task at most
constexpr int64_t kRun = 64;  // values that are added in single precision before they join the double total

struct Sizes {
  int64_t groups, values, channels;
};

// Calls body(offset of the first value, offset into (groups, channels), channels of the block) for every task.
template <class Body>
void for_blocks(const Sizes& s, int threads, Body body) {
  // Narrower blocks where there would not be work for every thread.
  const int64_t step = s.groups * ((s.channels + kBlock - 1) / kBlock) < 2 * threads ? kBlock / 4 : kBlock;
  const int64_t blocks = (s.channels + step - 1) / step;
  const int64_t tasks = s.groups * blocks;
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64_t task = 0; task < tasks; ++task) {
    const int64_t group = task / blocks, first = task % blocks * step;
    const int width = static_cast<int>(s.channels - first < step ? s.channels - first : step);
    const int64_t at = group * s.values * s.channels + first, own = group * s.channels + first;
    switch (width) {  // a width known to the compiler is a loop without a remainder
      case 16: body(at, own, [] { return 16; }); break;
      case 32: body(at, own, [] { return 32; }); break;
      case 64: body(at, own, [] { return 64; }); break;
      default: body(at, own, [width] { return width; });
    }
  }
}

// Adds the terms of all rows, channel by channel; add(row, channel, part) adds those of one value to part[0..N-1].
template <class T, int N, class Width, class Add>
void sum_rows(int64_t rows, Width width, double (&total)[N][kBlock], Add add) {
  const int w = width();
  for (int n = 0; n < N; ++n) {
    for (int c = 0; c < w; ++c) total[n][c] = 0;
  }
  for (int64_t start = 0; start < rows; start += kRun) {
    const int64_t end = start + kRun < rows ? start + kRun : rows;
    T part[N][kBlock] = {};
    for (int64_t r = start; r < end; ++r) {
#pragma omp simd
      for (int c = 0; c < w; ++c) add(r, c, part);
    }
    for (int n = 0; n < N; ++n) {
      for (int c = 0; c < w; ++c) total[n][c] += part[n][c];
    }
  }
}

template <class T>
void forward(const T* inputs, const T* weight, const T* bias, const T* added, T* outputs, T* mean, T* variance,
             const Sizes& s, double eps, bool follows, bool rectifies, int threads) {
  for_blocks(s, threads, [&](int64_t at, int64_t own, auto width) {
    const int w = width();
    const int64_t stride = s.channels;
    const T* x = inputs + at;
    T centre[kBlock], scale[kBlock], shift[kBlock];
    if (follows) {
      double total[1][kBlock];
      sum_rows<T>(s.values, width, total, [&](int64_t r, int c, auto& part) { part[0][c] += x[r * stride + c]; });
      for (int c = 0; c < w; ++c) mean[own + c] = centre[c] = static_cast<T>(total[0][c] / s.values);
      sum_rows<T>(s.values, width, total, [&](int64_t r, int c, auto& part) {
        const T d = x[r * stride + c] - centre[c];
        part[0][c] += d * d;
      });
      for (int c = 0; c < w; ++c) variance[own + c] = static_cast<T>(total[0][c] / s.values);
    }
    for (int c = 0; c < w; ++c) {
      scale[c] = weight[own + c] / std::sqrt(variance[own + c] + static_cast<T>(eps));
      shift[c] = bias[own + c] - mean[own + c] * scale[c];
    }
    T* y = outputs + at;
    const T* more = added ? added + at : nullptr;
    for (int64_t r = 0; r < s.values; ++r) {
      T value[kBlock];
#pragma omp simd
      for (int c = 0; c < w; ++c) value[c] = x[r * stride + c] * scale[c] + shift[c];
      if (more) {
#pragma omp simd
        for (int c = 0; c < w; ++c) value[c] += more[r * stride + c];
      }
      if (rectifies) {
#pragma omp simd
        for (int c = 0; c < w; ++c) value[c] = value[c] < 0 ? T(0) : value[c];  // lets not-a-number through
      }
#pragma omp simd
      for (int c = 0; c < w; ++c) y[r * stride + c] = value[c];
    }
  });
}

template <class T>
void backward(const T* gradient, const T* inputs, const T* outputs, const T* weight, const T* mean, const T* variance,
              T* for_inputs, T* for_weight, T* for_bias, T* for_added, const Sizes& s, double eps, bool follows,
              int threads) {
  for_blocks(s, threads, [&](int64_t at, int64_t own, auto width) {
    const int w = width();
    const int64_t stride = s.channels;
    const T *dy = gradient + at, *x = inputs + at, *y = outputs ? outputs + at : nullptr;
    auto slope_of = [&](int64_t i) { return y && y[i] <= 0 ? T(0) : dy[i]; };
    T centre[kBlock], scale[kBlock], linear[kBlock], shift[kBlock];
    for (int c = 0; c < w; ++c) centre[c] = mean[own + c];
    double total[2][kBlock];
    sum_rows<T>(s.values, width, total, [&](int64_t r, int c, auto& part) {
      const T slope = slope_of(r * stride + c);
      part[0][c] += slope;
      part[1][c] += slope * (x[r * stride + c] - centre[c]);
    });
    for (int c = 0; c < w; ++c) {
      const double deviation = 1 / std::sqrt(static_cast<double>(variance[own + c]) + eps);
      for_bias[own + c] = static_cast<T>(total[0][c]);
      for_weight[own + c] = static_cast<T>(total[1][c] * deviation);
      scale[c] = static_cast<T>(weight[own + c] * deviation);
      linear[c] = follows ? static_cast<T>(-scale[c] * total[1][c] * deviation * deviation / s.values) : T(0);
      shift[c] = follows ? static_cast<T>(-scale[c] * total[0][c] / s.values) : T(0);
    }
    for (int64_t r = 0; r < s.values; ++r) {
      const int64_t row = r * stride;
      if (for_added) {
#pragma omp simd
        for (int c = 0; c < w; ++c) for_added[at + row + c] = slope_of(row + c);
      }
      if (for_inputs) {
#pragma omp simd
        for (int c = 0; c < w; ++c) {
          for_inputs[at + row + c] = slope_of(row + c) * scale[c] + (x[row + c] - centre[c]) * linear[c] + shift[c];
        }
      }
    }
  });
}

}  // namespace

#define MMBNFT_EXPORT(T, NAME)                                                                                       \
  extern "C" void forward_##NAME(const T* inputs, const T* weight, const T* bias, const T* added, T* outputs,       \
                                 T* mean, T* variance, int64_t groups, int64_t values, int64_t channels,            \
                                 double eps, int follows, int rectifies, int threads) {                             \
    forward<T>(inputs, weight, bias, added, outputs, mean, variance, {groups, values, channels}, eps, follows,      \
               rectifies, threads);                                                                                 \
  }                                                                                                                 \
  extern "C" void backward_##NAME(const T* gradient, const T* inputs, const T* outputs, const T* weight,            \
                                  const T* mean, const T* variance, T* for_inputs, T* for_weight, T* for_bias,      \
                                  T* for_added, int64_t groups, int64_t values, int64_t channels, double eps,       \
                                  int follows, int threads) {                                                       \
    backward<T>(gradient, inputs, outputs, weight, mean, variance, for_inputs, for_weight, for_bias, for_added,     \
                {groups, values, channels}, eps, follows, threads);                                                 \
  }

MMBNFT_EXPORT(float, float32)
MMBNFT_EXPORT(double, float64)
