"""How far a proxy can be trusted to rank checkpoints, and what picking by it costs.

Reads tables of results and knows nothing of training.
"""

from mmbnft.ranking.ranking_report import RankingReport, rank, rank_results, rank_sources

__all__ = ["RankingReport", "rank", "rank_results", "rank_sources"]
