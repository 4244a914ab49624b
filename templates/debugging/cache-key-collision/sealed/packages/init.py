from quoter.service import QuoteService

__all__ = ["QuoteService"]
