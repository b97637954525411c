"""The manual-trigger service against a real API server, with fakes of Deck and of Prow's controller.

data/ has the upstream definition of ProwJobs, what a real Deck answered on /config, what a real mkpj made of its jobs,
and one of them after a real Prow had picked it up.
"""
