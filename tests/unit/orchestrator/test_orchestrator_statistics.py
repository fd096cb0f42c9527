"""Published numbers and size checks of the promotion statistics."""

import math

import numpy as np
import pytest
from scipy import stats

from orchestrator_service.domain.statistics import bootstrap, sharpe, significance
from orchestrator_service.domain.statistics.blend import diverse, inverse_volatility
from orchestrator_service.domain.statistics.overfitting import overfitting
from orchestrator_service.domain.statistics.sharpe import Shape
from orchestrator_service.domain.statistics.trades import profit_factor, sqn, sqn100

R = np.array([1, -1, 2, -0.5, 1.5, -1, 3, -1, 0.5, 1])


def test_trade_statistics_equal_the_published_numbers():
    assert sqn(R) == pytest.approx(1.2393410, abs=1e-7)
    # 40 copies, ddof 1 over 400
    assert sqn(np.tile(R, 40)) == pytest.approx(8.2519391, abs=1e-6)
    assert sqn100(np.tile(R, 40)) == pytest.approx(4.1259696, abs=1e-6)
    assert profit_factor(R) == pytest.approx(2.5714286, abs=1e-7)


@pytest.mark.parametrize("trades", [np.array([]), np.array([1.0]), np.ones(5)])
def test_trades_without_variance_have_no_sqn(trades):
    assert math.isnan(sqn(trades))
    assert math.isnan(profit_factor(trades))


def test_probabilistic_sharpe_equals_the_published_numbers():
    psr = sharpe.probabilistic_sharpe
    assert psr(Shape(sharpe=0.458, periods=24)) == pytest.approx(0.98167, abs=1e-4)
    assert psr(Shape(sharpe=0.458, periods=24, skew=-2.448, kurtosis=10.164)) == pytest.approx(0.91336, abs=1e-4)
    assert psr(Shape(sharpe=1.14, periods=250), 1.0) == pytest.approx(0.95727, abs=1e-4)


def test_minimum_track_record_equals_the_published_numbers():
    def years(per_year, **moments):
        root = math.sqrt(per_year)
        shape = Shape(sharpe=2 / root, periods=0, **moments)
        return sharpe.minimum_track_record(shape, 1 / root) / per_year

    assert years(252) == pytest.approx(2.7310, abs=1e-4)
    assert years(52) == pytest.approx(2.8288, abs=1e-4)
    assert years(12) == pytest.approx(3.2398, abs=1e-4)
    assert years(12, skew=-0.72, kurtosis=5.78) == pytest.approx(4.9913, abs=1e-4)
    assert sharpe.minimum_track_record(Shape(sharpe=1.14, periods=0), 1.0) == pytest.approx(228.73498, abs=1e-4)
    assert sharpe.minimum_track_record(Shape(sharpe=0.0, periods=0)) == math.inf


@pytest.mark.parametrize(
    ("trials", "expected"),
    [(10, 1.5746), (45, 2.2356), (100, 2.5306), (1_000, 3.2551), (10_000, 3.8607), (100_000, 4.3908), (1, 0.0)],
)
def test_expected_maximum_equals_the_published_numbers(trials, expected):
    assert sharpe.expected_maximum(trials) == pytest.approx(expected, abs=1e-4)


def test_deflated_sharpe_equals_the_published_numbers():
    def observed(**moments):
        return Shape(sharpe=2.5 / math.sqrt(250), periods=1250, **moments)

    fat = observed(skew=-3, kurtosis=10)
    variance = 0.5 / 250
    hurdle = sharpe.expected_maximum(100, math.sqrt(variance))
    assert hurdle == pytest.approx(0.113172, abs=1e-6)
    assert sharpe.annual(hurdle, 250) == pytest.approx(1.7894, abs=1e-4)
    assert sharpe.deflated_sharpe(fat, 100, variance) == pytest.approx(0.900397, abs=1e-5)
    assert sharpe.deflated_sharpe(fat, 46, variance) == pytest.approx(0.950502, abs=1e-5)
    assert sharpe.deflated_sharpe(observed(), 88, variance) == pytest.approx(0.950491, abs=1e-5)


def test_luck_arithmetic():
    assert sharpe.chance_of_any(1_000, 3) == pytest.approx(0.741, abs=5e-4)
    hurdles = [sharpe.deflation_hurdle(n) for n in (100, 1_000, 10_000)]
    assert hurdles == pytest.approx([4.175, 4.900, 5.506], abs=1e-3)
    levels = [sharpe.chance_of_any(n, z) for n, z in zip((100, 1_000, 10_000), hurdles, strict=True)]
    assert levels == pytest.approx([0.0015, 0.00048, 0.00018], abs=2e-5)


@pytest.mark.parametrize(
    ("annual_sharpe", "level", "years"),
    [(1, 0.05, 6.2), (2, 0.05, 1.55), (3, 0.05, 0.69), (1, 0.005, 11.7), (2, 0.005, 2.9), (3, 0.005, 1.3)],
)
def test_what_a_holdout_can_confirm(annual_sharpe, level, years):
    assert sharpe.smallest_confirmable(round(years * 252), level) == pytest.approx(annual_sharpe, rel=0.02)


def test_shape_of_a_series():
    shape = sharpe.shape_of(R)
    assert shape.sharpe * math.sqrt(10) == pytest.approx(sqn(R))
    assert shape.skew == pytest.approx(stats.skew(R))
    assert shape.kurtosis == pytest.approx(stats.kurtosis(R, fisher=False))
    assert math.isnan(sharpe.shape_of(np.zeros(5)).sharpe)


def test_hac_without_lags_is_students_t():
    series = np.random.default_rng(1).normal(0.1, 1, 250)
    test = significance.hac_t(series, lags=0)
    plain = stats.ttest_1samp(series, 0, alternative="greater")
    assert (test.t, test.p) == pytest.approx((plain.statistic, plain.pvalue))


def test_hac_discounts_a_series_that_repeats_itself():
    rng = np.random.default_rng(2)
    repeated = np.repeat(rng.normal(0.1, 1, 125), 2)
    assert significance.hac_t(repeated).t < significance.hac_t(repeated, lags=0).t
    assert significance.hac_t(np.zeros(9)).p == 1.0


def test_hac_rejects_about_five_percent_of_noise():
    rng = np.random.default_rng(3)
    rejected = np.mean([significance.hac_t(rng.standard_t(4, 250)).p <= 0.05 for _ in range(1_500)])
    assert 0.035 < rejected < 0.08


def test_random_timing_in_a_drifting_market_fools_raw_profit_but_not_the_day_permutation():
    """T6: 200 strategies with random timing, 250 days x 60 minutes, drift of about 1.6 annual Sharpe."""
    rng = np.random.default_rng(4)
    raw = permuted = 0
    for _ in range(200):
        returns = rng.normal(0.1 / 60, 1 / math.sqrt(60), (250, 60))
        positions = np.repeat(rng.random((250, 6)) < 0.5, 10, axis=1).astype(float)
        raw += significance.hac_t((positions * returns).sum(axis=1)).p <= 0.05
        permuted += significance.day_permutation_p(positions @ returns.T, 199, rng) <= 0.05
    assert raw / 200 > 0.15
    assert permuted / 200 < 0.10


def test_day_permutation_finds_timing():
    rng = np.random.default_rng(5)
    returns = rng.normal(0, 1, (250, 30))
    positions = ((returns + rng.normal(0, 12, returns.shape)) > 0).astype(float)
    assert significance.day_permutation_p(positions @ returns.T, 999, rng) <= 0.005
    assert significance.day_permutation_p(np.zeros((9, 9)), 99, rng) == 1.0


def test_resampled_days_sum_to_the_days():
    counts = bootstrap.stationary_counts(50, 400, 2, np.random.default_rng(6))
    assert (counts.sum(axis=1) == 50).all()
    assert counts.mean(axis=0) == pytest.approx(np.ones(50), abs=0.25)


def test_copies_of_one_series_count_as_one_trial():
    rng = np.random.default_rng(7)
    one = rng.normal(0.08, 1, 250)
    alone = bootstrap.romano_wolf(one[None], 1_000, 2, np.random.default_rng(8))
    copies = bootstrap.romano_wolf(np.tile(one, (1_000, 1)), 1_000, 2, np.random.default_rng(8))
    assert copies.adjusted_p == pytest.approx(np.full(1_000, alone.adjusted_p[0]), abs=2e-3)
    assert copies.effective_trials < 1.5


def test_a_planted_series_is_found_alone():
    rng = np.random.default_rng(9)
    ledger = rng.normal(size=(360, 250))
    ledger[17] += (5.5 / math.sqrt(250)) - ledger[17].mean()
    found = bootstrap.romano_wolf(ledger, 1_000, 2, rng)
    assert found.adjusted_p[17] < 0.01
    assert (found.adjusted_p <= 0.05).sum() == 1


@pytest.mark.parametrize("seed", [4, 5, 6])
def test_two_planted_series_are_found_as_arch_stepm_finds_them(seed):
    ledger = np.random.default_rng(seed).normal(size=(250, 200)).T.copy()
    ledger[7] += 0.35
    ledger[100] += 0.33
    found = bootstrap.romano_wolf(ledger, 1_000, 2, np.random.default_rng(seed))
    assert set(np.flatnonzero(found.adjusted_p <= 0.05)) == {7, 100}


def test_noise_ledgers_pass_at_the_nominal_familywise_rate():
    """Sixty ledgers of 360 worthless trials: at .05 some three, at the gate's .20 some twelve have a 'winner'."""
    rng = np.random.default_rng(10)
    ledgers = [bootstrap.romano_wolf(rng.normal(size=(360, 250)), 500, 2, rng) for _ in range(60)]
    best = np.array([ledger.adjusted_p.min() for ledger in ledgers])
    assert (best <= 0.05).mean() < 0.14  # 99.9 % of binomial(60, .05) is below 9
    assert 0.05 < (best <= 0.20).mean() < 0.38
    assert 200 < np.median([ledger.effective_trials for ledger in ledgers]) < 650


def test_adjusted_p_ignores_trials_that_never_traded_and_follows_the_order_of_t():
    rng = np.random.default_rng(11)
    ledger = np.vstack([rng.normal(0.05, 1, (40, 120)), np.zeros((5, 120)), np.full((1, 120), 0.1)])
    whole = bootstrap.romano_wolf(ledger, 300, 2, np.random.default_rng(12))
    live = bootstrap.romano_wolf(ledger[:40], 300, 2, np.random.default_rng(12))
    assert whole.live == 40
    assert whole.adjusted_p[:40] == pytest.approx(live.adjusted_p)
    assert (whole.adjusted_p[40:] == 1).all()
    ordered = whole.adjusted_p[:40][np.argsort(-whole.t[:40])]
    assert (np.diff(ordered) >= 0).all()


def test_a_dead_ledger_proves_nothing():
    dead = bootstrap.romano_wolf(np.zeros((3, 50)), 100, 2, np.random.default_rng(13))
    assert dead.live == 0
    assert (dead.adjusted_p == 1).all()


def test_chunks_do_not_change_the_answer(monkeypatch):
    ledger = np.random.default_rng(14).normal(size=(100, 60))
    whole = bootstrap.romano_wolf(ledger, 200, 2, np.random.default_rng(15))
    monkeypatch.setattr(bootstrap, "_CHUNK", 7)
    pieces = bootstrap.romano_wolf(ledger, 200, 2, np.random.default_rng(15))
    assert pieces.adjusted_p == pytest.approx(whole.adjusted_p)
    assert pieces.null_max == pytest.approx(whole.null_max, abs=1e-5)


def test_overfitting_hand_case():
    hand = overfitting(np.array([[1, 1.2, -0.9, -1.1], [0, 0.1, 0.2, 0.1]]), blocks=2)
    assert (hand.pbo, hand.loss) == (1.0, 0.5)


def test_overfitting_of_noise_is_about_half_and_of_skill_nothing():
    rng = np.random.default_rng(16)
    noise = [overfitting(rng.normal(size=(100, 400)), 8).pbo for _ in range(20)]
    assert 0.35 < np.mean(noise) < 0.60
    skilled = rng.normal(size=(100, 1_000))
    skilled[:10] += 0.15
    assert overfitting(skilled, 10).pbo < 0.02


def test_overfitting_equals_the_reference_libraries():
    ledger = np.random.default_rng(5).normal(size=(400, 30)).T
    assert overfitting(ledger, 8).pbo == pytest.approx(0.357143, abs=1e-6)


def test_nomination_is_greedy_diverse_and_one_a_model():
    rng = np.random.default_rng(17)
    base = rng.normal(size=(3, 250))
    ledger = np.vstack([base[0], base[0] + 0.1 * base[1], base[1], base[2], -base[2]])
    owners = ["a", "b", "a", "c", "d"]
    assert diverse([0, 1, 2, 3, 4], ledger, owners, 10, 0.7) == [0, 3]
    assert diverse([1, 2, 3], ledger, owners, 2, 0.7) == [1, 2]


def test_weights_are_inverse_to_volatility():
    rng = np.random.default_rng(18)
    one = rng.normal(size=250)
    weights = inverse_volatility(np.vstack([one, 3 * one]))
    assert weights == pytest.approx([0.75, 0.25])
