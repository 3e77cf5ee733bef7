"""The engine: differentiate a function by the columns of one of its arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from xgrad._arrays import (
    Array,
    at_perturbed_points,
    cast,
    float_info,
    is_lazy,
    is_on_host,
    quiet,
    rebuild,
    reshaped,
    result_dtype,
)
from xgrad._differences.analytic import require_analytic
from xgrad._differences.curvature import SecondDifferences
from xgrad._differences.doubt import Doubt
from xgrad._differences.estimate import Estimate
from xgrad._differences.noise import noise_level
from xgrad._differences.passes import Passes
from xgrad._differences.plan import Scheme, Setting
from xgrad._differences.readout import Readout
from xgrad._differences.refinement import Refinement
from xgrad._differences.result import Result
from xgrad._differences.scheme import StencilScheme
from xgrad._differences.stencil import ACCURACIES
from xgrad._evaluation import Columns, Neighborhood


@dataclass(eq=False)
class Problem(Passes):
    """A derivative to take: of which function, by which plan, and who evaluates it."""

    def differentiate(
        self,
        leaf: int,
        base: Array,
        columns: Callable[[Any, Array], Columns],
        readout: Callable[[float, Array | None], Readout],
    ) -> Result:
        """Differentiate by each column of one leaf: ``(columns, *outputs)``.

        ``readout`` is called with the precision and the noise of the function.
        """
        setting, placement = self.setting(leaf, base), self.placements[leaf]
        eps, method, noise = setting.eps, self.plan.method, None
        with at_perturbed_points():
            if method in ("ladder", "auto"):
                line = placement.noise_line(eps)
                values = self.column_values(self.function, leaf, base, line)
                noise = noise_level(self.xp, base, values, eps)
            read = readout(eps, noise)
            x = self.function.leaves[leaf]
            points = placement.points_of(setting, columns(self.xp, x))
            near = Neighborhood(self.function, leaf, points, base)
            if method == "complex":
                return self._take_complex_step(near, setting.scheme, read)
            result = self.combine_columns(near, setting.scheme, read, setting.estimate)
            doubt = Doubt(self, leaf, base, eps, read, columns)
            if method == "auto":
                if self.plan.order > 1:
                    result = doubt.judge(points, result)
                refinement = Refinement(
                    self, leaf, base, eps, read, columns, line, values
                )
                result = refinement.refine(result)
            if not self.plan.full_output:
                return Result(result.value, status=result.status)
            if method in ACCURACIES:
                return doubt.judge(points, result)
        return result

    def setting(self, leaf: int, base: Array) -> Setting:
        """Return the setting of the plan for one leaf.

        A stencil has no status where nobody will look at it: a batched function on a
        device runs without a wait.
        """
        x = self.function.leaves[leaf]
        setting = self.plan.setting(self.xp, x.dtype, base.dtype)
        if self.function.batched and not is_on_host(self.xp, x):
            scheme = setting.scheme
            if isinstance(scheme, StencilScheme | SecondDifferences):
                scheme = replace(scheme, has_status=False)
                return setting._replace(scheme=scheme)
        return setting

    def _take_complex_step(
        self, near: Neighborhood, scheme: Scheme, readout: Readout
    ) -> Result:
        leaf, points, base = near.leaf, near.points, near.base
        near = Neighborhood(self.function.with_complex_leaves(), leaf, points, base)
        result = self.combine_columns(near, scheme, readout, self.plan.full_output)
        if not is_lazy(self.xp, self.function.leaves[leaf]):
            require_analytic(self, leaf, base, points, readout, result)
        return result

    def estimate(self, like: Any, results: list[Result]) -> Estimate:
        """Return the estimates of several results, nested as ``like`` is."""
        error, step, status = (
            rebuild(like, [vars(result)[name] for result in results])
            for name in ("error", "step", "status")
        )
        done = self.evaluator.meter.done
        return Estimate(error, step, status, done, self.method)

    def finish(self, original: Array, result: Result, shape: tuple[int, ...]) -> Result:
        """Return a result with the columns as last axis, in its final shape and dtype.

        ``original``, the array as the caller passed it, leads to the dtype. Steps and
        bounds of half precision stay in single: they may be too small.
        """
        xp = self.xp
        dtype = result_dtype(xp, original, self.plan.dtype)
        value = result.value
        if value.dtype == dtype and value.ndim < 2 and result.status is result.error:
            return Result(reshaped(xp, value, shape))  # nearly all gradients

        def finished(array: Array, dtype: Any) -> Array:
            if array.ndim == 2:
                array = array.T
            elif array.ndim > 1:
                array = xp.permute_dims(array, (*range(1, array.ndim), 0))
            return cast(xp, reshaped(xp, array, shape), dtype)

        is_plain = result.status is None and result.error is None
        if is_plain and result.value.dtype == dtype:
            return Result(finished(result.value, dtype))
        with quiet():
            value = finished(result.value, dtype)
            status = result.status
            if status is not None:
                status = finished(status, xp.int8)
            if result.error is None:
                return Result(value, status=status)
            error, eps = result.error, float_info(xp, dtype).eps
            if eps > float_info(xp, result.value.dtype).eps:
                # Rounding the value to its dtype is an error, too.
                error = error + eps / 2 * xp.abs(result.value)
            wide = dtype if eps <= float_info(xp, xp.float32).eps else xp.float32
            return Result(
                value,
                finished(error, wide),
                finished(result.step, wide),
                status,
            )
